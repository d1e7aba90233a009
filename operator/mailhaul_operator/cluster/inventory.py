"""A relay in the cluster with what belongs to it: its providers, its aliases, its pods and the token of its HTTP port.

Used by `status`, `send_test` and `mail.pods`. Failures: `KubeError`.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from mailhaul_contract.names import SECRET_API_TOKEN
from mailhaul_operator.cluster.kube import Kube, KubeError, Object
from mailhaul_operator.plan import naming


@dataclass(frozen=True, slots=True)
class Owned:
    """A relay with its providers and aliases, as the API server has them."""

    relay: Object
    providers: tuple[Object, ...]
    aliases: tuple[Object, ...]


def key(resource: Object) -> tuple[str, str]:
    """Namespace and name."""
    metadata = resource["metadata"]
    return str(metadata["namespace"]), str(metadata["name"])


def relays(kube: Kube, namespace: str) -> tuple[Owned, ...]:
    """Every relay of a namespace, or of all when it is empty, in order of their names."""
    found = sorted(kube.found("smtprelays", namespace), key=key)
    providers = kube.found("upstreamproviders", namespace)
    aliases = _aliases(kube, namespace)
    return tuple(Owned(one, _providers_of(one, providers), _aliases_of(one, aliases)) for one in found)


def _aliases(kube: Kube, namespace: str) -> Sequence[Object]:
    """Aliases may be in other namespaces, which this person need not be allowed to see."""
    try:
        return kube.found("mailaliases", "")
    except KubeError as error:
        if error.code != 403 or not namespace:
            raise
        return kube.found("mailaliases", namespace)


def _providers_of(relay: Object, providers: Sequence[Object]) -> tuple[Object, ...]:
    wanted = [one["providerRef"]["name"] for one in relay["spec"].get("upstreams", [])]
    namespace, _ = key(relay)
    by_name = {key(one)[1]: one for one in providers if key(one)[0] == namespace}
    return tuple(by_name[name] for name in wanted if name in by_name)


def _aliases_of(relay: Object, aliases: Sequence[Object]) -> tuple[Object, ...]:
    def belongs(alias: Object) -> bool:
        reference = alias["spec"]["relayRef"]
        return (reference.get("namespace") or key(alias)[0], reference["name"]) == key(relay)

    return tuple(sorted((one for one in aliases if belongs(one)), key=key))


def relay_pods(kube: Kube, namespace: str, relay: str) -> list[Object]:
    """Every pod of a relay, in order of their names."""
    return sorted(kube.found("pods", namespace, f"{naming.SELECTOR},{naming.RELAY}={relay}"), key=key)


def ready_pod(kube: Kube, namespace: str, relay: str) -> str:
    """Name of a pod of the relay that is ready. Raises KubeError when there is none."""
    for pod in relay_pods(kube, namespace, relay):
        conditions = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", [])}
        if conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]:
            return key(pod)[1]
    raise KubeError(
        f"relay {namespace}/{relay} has no ready pod; `kubectl describe smtprelay -n {namespace} {relay}` tells why"
    )


def token(kube: Kube, namespace: str, relay: str) -> str:
    """The token of the relay's HTTP port, from its assembled Secret. Raises KubeError when it cannot be read."""
    name = naming.configuration(relay)
    secret = kube.get("secrets", namespace, name)
    value = (secret or {}).get("data", {}).get(SECRET_API_TOKEN, "")
    if not value:
        raise KubeError(f"there is no key {SECRET_API_TOKEN} in Secret {namespace}/{name}; is the operator running?")
    return base64.b64decode(value).decode()
