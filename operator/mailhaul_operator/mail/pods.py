"""The pods of a relay in a cluster, each as a door to its queue, through the API server's pod proxy.

`target` asks when a cluster is meant. Every replica has a queue of its own, so all of them are asked; one that does not
run, or is not there, is told and left out. Failures: ClientError, with the words of `cluster.kube`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailhaul_operator.cluster.inventory import key, relay_pods, token
from mailhaul_operator.cluster.kube import Kube, KubeError, Object
from mailhaul_operator.cluster.where import Where
from mailhaul_operator.mail.client import ClientError, Query, with_query
from mailhaul_operator.mail.target import Doors

FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class PodDoor:
    """One pod's HTTP port."""

    kube: Kube
    namespace: str
    pod: str
    token: str = field(repr=False)

    def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Ask for a document."""
        try:
            return self.kube.pod(self.namespace, self.pod, with_query(path, query), self.token)
        except KubeError as error:
            raise ClientError(str(error), error.code) from None

    def post(self, path: str, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order."""
        try:
            return self.kube.pod(self.namespace, self.pod, path, self.token, order)
        except KubeError as error:
            raise ClientError(str(error), error.code) from None

    def fetch(self, path: str, write: Callable[[bytes], object]) -> None:
        """Read bytes piece by piece."""
        try:
            self.kube.pod_bytes(self.namespace, self.pod, path, self.token, write)
        except KubeError as error:
            raise ClientError(str(error), error.code) from None


def pods_of(where: Where, relay: str, pod: str = "") -> Doors:
    """Give a relay's pods; without a name the only relay of the namespace, `pod` only that one of them."""
    try:
        kube = Kube(where)
        namespace, name = _relay(kube, relay)
        secret = token(kube, namespace, name)
        found = relay_pods(kube, namespace, name)
        missing = [one for one in _missing(kube, namespace, name, found) if not pod or one == pod]
    except KubeError as error:
        raise ClientError(str(error), error.code) from None
    chosen = [one for one in found if not pod or key(one)[1] == pod]
    running = [one for one in chosen if one.get("status", {}).get("phase") == "Running"]
    silent = [f"pod {key(one)[1]} does not run, so its queue was not asked" for one in chosen if one not in running]
    if not running:
        wanted = f"pod {pod} that runs" if pod else "pod that runs"
        raise ClientError(f"relay {namespace}/{name} has no {wanted}; `kubectl get pods -n {namespace}` tells more")
    silent += [f"pod {one} is not there, so its queue was not asked" for one in missing]
    return Doors(tuple(PodDoor(kube, namespace, key(one)[1], secret) for one in running), tuple(silent))


def _missing(kube: Kube, namespace: str, name: str, found: list[Object]) -> list[str]:
    """Pods that a relay should have and has not now: deleted, evicted, or never made; their volumes hold mail."""
    try:
        spec = (kube.get("smtprelays", namespace, name) or {}).get("spec", {})
    except KubeError as error:
        if error.code != FORBIDDEN:
            raise
        return []  # whoever may not read the relay is told of the pods alone
    if spec.get("queue", {}).get("mode") == "Ephemeral":
        return []
    there = {key(one)[1] for one in found}
    return [one for number in range(spec.get("replicas", 1)) if (one := f"{name}-{number}") not in there]


def _relay(kube: Kube, relay: str) -> tuple[str, str]:
    namespace, _, name = relay.rpartition("/")
    namespace = namespace or kube.namespace
    if name:
        return namespace, name
    names = sorted(key(one)[1] for one in kube.found("smtprelays", namespace))
    if len(names) == 1:
        return namespace, names[0]
    if names:
        raise ClientError(f"namespace {namespace} has several relays; choose one with --relay: {', '.join(names)}")
    raise ClientError(
        f"there is no SmtpRelay in namespace {namespace} (context {kube.context}); name another with -n, or a relay's"
        " address with --url"
    )
