"""What runs of a relay: its workload and its pods, as values read from the cache's objects. Pure.

Called by `gather`. A pod is of the newest revision when its `controller-revision-hash` is the StatefulSet's, or its
`pod-template-hash` is that of the Deployment's newest ReplicaSet, which `gather` hands in.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mailhaul_operator.assess.view import PodView, WorkloadView
from mailhaul_operator.plan.naming import CONTAINER
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import annotations, controller, epoch, is_going, labels, metadata, name_of

REVISION: Final = "deployment.kubernetes.io/revision"
HARMLESS: Final = frozenset({"ContainerCreating", "PodInitializing", "Completed"})
"""Reasons that a container has in an ordinary start or end."""
MAX_TROUBLE: Final = 300
MAX_DIGITS: Final = 3
"""Ordinals have fewer: `spec.replicas` is 100 at most."""
_NOTHING: Mapping[str, Any] = {}


def workload_view(workload: Mapping[str, Any] | None) -> WorkloadView:
    """Give the numbers of a StatefulSet or Deployment; of none when it is not there yet."""
    if workload is None:
        return WorkloadView()
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    return WorkloadView(
        exists=True,
        wanted=spec.get("replicas", 1),
        replicas=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        observed=status.get("observedGeneration", 0) >= metadata(workload).get("generation", 0),
    )


def replicas_left(name: str, pods: Iterable[Body]) -> int:
    """Give how many replicas a StatefulSet of this name must have to take over the pods that one before it has left.

    Their labels are all that tells, and anybody can set them: numbers that no relay can have do not count.
    """
    ordinals = (name_of(one)[1].removeprefix(f"{name}-") for one in pods)
    return max((int(one) + 1 for one in ordinals if one.isdecimal() and len(one) < MAX_DIGITS), default=0)


def image_of(workload: Mapping[str, Any] | None) -> str:
    """Give the image of the relay's container; "" when there is no workload."""
    template = ((workload or {}).get("spec") or {}).get("template") or {}
    return str(_relay_of((template.get("spec") or {}).get("containers")).get("image", ""))


def newest_hash(deployment: Mapping[str, Any], replica_sets: Iterable[Mapping[str, Any]]) -> str:
    """Give the `pod-template-hash` of a Deployment's newest ReplicaSet; "" while it has none."""
    uid, revision = metadata(deployment).get("uid"), annotations(deployment).get(REVISION)
    for one in replica_sets:
        if controller(one).get("uid") == uid and revision and annotations(one).get(REVISION) == revision:
            return labels(one).get("pod-template-hash", "")
    return ""


def pod_views(workload: Mapping[str, Any] | None, pods: Iterable[Body], template_hash: str = "") -> tuple[PodView, ...]:
    """Give the pods that are the workload's own, in the order of their ordinals or names."""
    if workload is None:
        return ()
    views = [_view(one, workload, template_hash) for one in pods if _is_of(one, workload)]
    return tuple(sorted(views, key=lambda view: (view.ordinal or 0, view.name)))


def _is_of(pod: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    """Whether a pod is the workload's. Labels alone do not tell: the relay's token is sent to these pods. A pod without
    a controller is one that a StatefulSet, made anew, is about to take over.
    """
    holder, name = controller(pod), name_of(workload)[1]
    if workload["kind"] == "Deployment":
        hashed = labels(pod).get("pod-template-hash", "")
        return (holder.get("kind"), holder.get("name")) == ("ReplicaSet", f"{name}-{hashed}")
    if not holder:
        return name_of(pod)[1].removeprefix(f"{name}-").isdecimal()
    return holder.get("kind") == "StatefulSet" and holder.get("name") == name


def _view(pod: Mapping[str, Any], workload: Mapping[str, Any], template_hash: str) -> PodView:
    status = pod.get("status") or {}
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    name = name_of(pod)[1]
    container = _relay_of(status.get("containerStatuses"))
    return PodView(
        name=name,
        ordinal=int(name.rpartition("-")[2]) if workload["kind"] == "StatefulSet" else None,
        ip=status.get("podIP", ""),
        ready=conditions.get("Ready", _NOTHING).get("status") == "True",
        current=_is_current(pod, workload, template_hash),
        terminating=is_going(pod),
        created=epoch(metadata(pod).get("creationTimestamp")),
        trouble=_trouble(status, container, conditions)[:MAX_TROUBLE],
        restarts=container.get("restartCount", 0),
        gone_by=epoch(metadata(pod).get("deletionTimestamp")) if is_going(pod) else 0,
    )


def _relay_of(containers: Iterable[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    """Give the container that is the relay, or its status; a mesh may have put its own before it."""
    return next((one for one in containers or () if one.get("name") == CONTAINER), _NOTHING)


def _is_current(pod: Mapping[str, Any], workload: Mapping[str, Any], template_hash: str) -> bool:
    if workload["kind"] == "Deployment":
        return bool(template_hash) and labels(pod).get("pod-template-hash") == template_hash
    newest = (workload.get("status") or {}).get("updateRevision")
    return bool(newest) and labels(pod).get("controller-revision-hash") == newest


def _trouble(status: Mapping[str, Any], container: Mapping[str, Any], conditions: Mapping[str, Any]) -> str:
    """Give why the container does not run, or the pod is nowhere; "" when it runs or starts as it should."""
    if status.get("phase") == "Failed":
        return _words(status)
    state = container.get("state") or {}
    if "running" in state:
        return ""
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting and waiting.get("reason") not in HARMLESS:
        last = (container.get("lastState") or {}).get("terminated") or {}
        return "; ".join(part for part in (_words(waiting), _end(last)) if part)
    if ended and ended.get("reason") not in HARMLESS:
        return _end(ended)
    scheduled = conditions.get("PodScheduled", _NOTHING)
    return _words(scheduled) if scheduled.get("status") == "False" else ""


def _words(source: Mapping[str, Any]) -> str:
    reason, message = str(source.get("reason", "")), str(source.get("message", ""))
    return ": ".join(part for part in (reason, message) if part)


def _end(terminated: Mapping[str, Any]) -> str:
    if not terminated:
        return ""
    return f"{_words(terminated) or 'ended'} (exit code {terminated.get('exitCode', '?')})"
