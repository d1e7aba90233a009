"""`ConfigApplied`: does every replica of the current revision run the newest configuration, with nothing left out?

What the plan left out, replicas that are missing, silent or refuse, and what is still on its way. Pure.
"""

from collections.abc import Iterator
from typing import Final

from mailhaul_contract.report import RefusedConfig, RelayReport
from mailhaul_operator.api.moments import epoch
from mailhaul_operator.assess.causes import Cause, Mender, of_finding
from mailhaul_operator.assess.checks.leaving import leaving
from mailhaul_operator.assess.drafts import RECONCILING, TRUE, UNKNOWN, Draft, draft, failing
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.progress import GRACE
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.plan.findings import OF_ABSENCE, Finding, Severity
from mailhaul_operator.plan.findings import Reason as Found

CONFIG_APPLIED: Final = "ConfigApplied"
SILENCE: Final = 120.0
"""Seconds without an answer after which a replica counts as unreachable."""
SETTLING: Final = 15.0
"""Seconds of a pod in which what keeps it from running may pass by itself."""
LOOPS: Final = 3
"""Restarts from which on a pod that is not ready is taken to end again."""
START: Final = 600.0
"""Seconds that a start may take, with a slow image and a slow volume."""
ELSEWHERE: Final = {
    Found.NO_UPSTREAM,
    Found.UPSTREAM_UNKNOWN,
    Found.ROUTE_UPSTREAM_UNKNOWN,
    Found.ROUTE_WITHOUT_UPSTREAM,
    Found.SENDER_DOMAIN_NOT_SENDABLE,
}
"""Findings of a relay that `UpstreamsReady` tells."""
HARMLESS: Final = {Found.SRS_SECRET_MISSING}
"""What is left out here keeps no mail from leaving."""
_PULL: Final = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_WAITING: Final = ("ContainerCreating", "PodInitializing", "Pending")


def config_applied(facts: RelayFacts) -> Aspect:
    """Judge the configuration and the replicas that are to run it."""
    if facts.view.relay.spec.replicas == 0:
        nobody = _nobody(facts)
        return Aspect(draft(CONFIG_APPLIED, UNKNOWN, nobody), (nobody, *_left_out(facts)))
    causes = (*_left_out(facts), *_replicas(facts), *_pending(facts))
    failed = next((one for one in causes if not one.mender.waits and one.mender is not Mender.NOBODY), None)
    first = failed or next(iter(causes), None)
    if first is None:
        return Aspect(Draft(CONFIG_APPLIED, TRUE, Reason.APPLIED, f"every replica runs {facts.view.plan.digest[:19]}"))
    if first.mender is Mender.NOBODY:
        return Aspect(draft(CONFIG_APPLIED, TRUE, first), causes)
    return Aspect(failing(CONFIG_APPLIED, first), causes)


def _nobody(facts: RelayFacts) -> Cause:
    """No replica is wanted; those that are to go may still hold mail."""
    why, held = Reason.NO_REPLICAS, "".join(f"; {one.fact}" for one in leaving(facts).causes)
    return Cause(why, why.meaning.rstrip(".") + held, why.remedy, "spec.replicas", Mender.SPEC)


def _left_out(facts: RelayFacts) -> Iterator[Cause]:
    findings = [one for one in facts.view.plan.findings if one.object == facts.owner and one.reason not in ELSEWHERE]
    for one in sorted(findings, key=lambda one: one.severity is not Severity.ERROR):
        error = one.severity is Severity.ERROR
        mender = _mender(one, findings) if error else Mender.NOBODY
        yield of_finding(one, facts.owner, mender=mender, blocks=error and one.reason not in HARMLESS)


def _mender(finding: Finding, findings: list[Finding]) -> Mender:
    """An impossible configuration is the spec's own mistake, unless something that is missing may explain it."""
    missing = any(one.reason in OF_ABSENCE or one.reason.value.startswith("Secret") for one in findings)
    own = finding.reason is Found.CONFIGURATION_INVALID and not missing
    return Mender.SPEC if own else Mender.OTHER


def _replicas(facts: RelayFacts) -> Iterator[Cause]:
    for pod in facts.staying:
        if trouble := _why_not(pod):
            yield _trouble(facts, pod, trouble)
        elif isinstance(pod.report, Silence) and _is_lost(facts, pod):
            why = Reason.REPLICA_UNREACHABLE
            yield Cause(why, f"replica {pod.name} does not answer: {pod.report.why}", why.remedy)
    yield from _stuck(facts)
    for name, report in facts.reports:
        if refused := _refuses(facts, report):
            why = Reason.CONFIG_REFUSED
            words = "; ".join(refused.reasons) or "no reason given"
            yield Cause(
                why, f"replica {name} refuses the configuration and keeps the last good one: {words}", why.remedy
            )


def _stuck(facts: RelayFacts) -> Iterator[Cause]:
    """Replicas that were deleted and whose end nobody confirms, as on a node that is off: no other takes their place,
    and what they hold stays with them.
    """
    wanted, namespace = facts.view.relay.spec.replicas, facts.owner.namespace
    for pod in sorted(facts.view.pods, key=lambda one: one.name):
        late = pod.gone_by and facts.view.now - pod.gone_by >= SILENCE
        if not late or pod.ordinal is None or pod.ordinal >= wanted or isinstance(pod.report, RelayReport):
            continue
        yield Cause(
            Reason.REPLICA_UNREACHABLE,
            f"replica {pod.name} was deleted and does not end, so that no other takes its place; mail in it waits",
            f"see its node in `kubectl get pod {pod.name} -n {namespace} -o wide`, and bring that back; only when it is"
            f" off for good, `kubectl delete pod {pod.name} -n {namespace} --force`",
            stops=True,
        )


def _refuses(facts: RelayFacts, report: RelayReport) -> RefusedConfig | None:
    """What a replica says against the configuration of this plan: it is not on its way any more."""
    refused = report.refused_config
    return refused if refused and refused.digest == facts.view.plan.digest else None


def _is_lost(facts: RelayFacts, pod: PodView) -> bool:
    """Whether it has been silent for so long that it is no matter of waiting any more."""
    return isinstance(pod.report, Silence) and facts.view.now - pod.report.since >= SILENCE


def _why_not(pod: PodView) -> str:
    """What keeps a pod from running. One that ends again and again runs for moments, which is no recovery."""
    if pod.trouble.startswith(_WAITING):
        return ""
    loops = pod.restarts >= LOOPS and not pod.ready and not isinstance(pod.report, RelayReport)
    return pod.trouble or ("it ends again and again, and is being started" if loops else "")


def _trouble(facts: RelayFacts, pod: PodView, trouble: str) -> Cause:
    """What keeps the container from running; in a pod's first seconds (a volume is being bound) that is no news yet.
    When one of the newest revision does not come to run, no rollout goes on; one of before is about to be replaced.
    """
    age = facts.view.now - pod.created
    stops = pod.current and facts.view.workload.observed and age >= GRACE
    word = trouble.partition(":")[0]
    reason = Reason.IMAGE_PULL_FAILED if word in _PULL else Reason.CONTAINER_FAILING
    if word == "Unschedulable":
        reason = Reason.POD_UNSCHEDULABLE
    mender = Mender.ROLLOUT if age < SETTLING else Mender.OTHER
    return Cause(reason, f"replica {pod.name} does not run: {trouble}", reason.remedy, mender=mender, stops=stops)


def _pending(facts: RelayFacts) -> Iterator[Cause]:
    """What is on its way. No mail can come while the Service sends to no replica: only what the kubelet calls ready
    counts, for a relay that reports is not reached by apps before that.
    """
    view, newest = facts.view, [one for one in facts.staying if one.current]
    started = sum(one.ready or _says_why_not(one) for one in newest)
    if view.plan.config is None:
        return
    given_up = sum(_has_given_up(facts, one) for one in newest)
    if started + given_up < view.relay.spec.replicas or not view.workload.observed:
        words = f"replicas that have started: {started} of {view.relay.spec.replicas}"
        reached = _any_is_reached(facts)
        yield Cause(Reason.PODS_STARTING, words, _if_none_comes(facts), mender=Mender.ROLLOUT, blocks=not reached)
    for pod in newest:
        report = pod.report
        if isinstance(report, RelayReport) and report.digest != view.plan.digest:
            if not _refuses(facts, report):
                yield _awaits(pod.name, report)
        elif not isinstance(report, RelayReport) and pod.ready and not facts.unchanged and not _is_lost(facts, pod):
            words = f"replica {pod.name} has not told yet what it runs"
            yield Cause(Reason.CONFIG_PENDING, words, mender=Mender.ROLLOUT, blocks=False)


def _if_none_comes(facts: RelayFacts) -> str:
    """Where a quota or a policy tells that it lets no pod be made: nothing else shows it."""
    meta, view, before = facts.view.relay.metadata, facts.view, facts.stamp.before.get(RECONCILING)
    waited = view.now - epoch(before.last_transition_time) if before else 0
    if waited < SILENCE or view.obstacles or not view.workload.observed or len(view.pods) >= view.relay.spec.replicas:
        return ""
    kind = "deployment" if view.ephemeral else "statefulset"
    return f"wait; if no pod comes, see the events of `kubectl describe {kind} {meta.name} -n {meta.namespace}`"


def _any_is_reached(facts: RelayFacts) -> bool:
    return bool(facts.reports) and any(one.ready or _says_why_not(one) for one in facts.staying)


def _says_why_not(pod: PodView) -> bool:
    """Whether it runs and takes no mail for a reason of its own, which is told elsewhere."""
    return isinstance(pod.report, RelayReport) and not pod.report.accepting


def _has_given_up(facts: RelayFacts, pod: PodView) -> bool:
    """Whether a pod that has not started is no matter of waiting: in trouble, or silent for longer than starts take."""
    if pod.ready or isinstance(pod.report, RelayReport):
        return False
    age = facts.view.now - pod.created
    in_trouble = bool(_why_not(pod)) and age >= SETTLING
    return in_trouble or (_is_lost(facts, pod) and age >= START)


def _awaits(pod: str, report: RelayReport) -> Cause:
    why = report.awaiting_reason or ("its Secret" if report.awaiting_secret_revision else "")
    if why:
        words = f"replica {pod} waits for what is not mounted yet: {why}"
        return Cause(Reason.AWAITING_MOUNTS, words, mender=Mender.ROLLOUT, blocks=False)
    words = f"replica {pod} still runs {report.digest[:19] or 'no configuration'}"
    return Cause(Reason.CONFIG_PENDING, words, mender=Mender.ROLLOUT, blocks=False)
