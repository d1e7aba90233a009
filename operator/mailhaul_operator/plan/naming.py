"""Names, labels and annotations of the objects that the operator makes (docs/design/0020-operator-seams.md).

Used by the plan, and by whoever looks for what it made. Pure.
"""

from mailhaul_contract.names import GROUP

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "mailhaul"
"""Value of `MANAGED_BY`, and the field manager of every apply."""
SELECTOR = f"{MANAGED_BY}={MANAGER}"
"""Label selector of everything that the operator made."""
RELAY = f"{GROUP}/relay"
PROVIDER = f"{GROUP}/provider"
SPEC = f"{GROUP}/spec"
"""Annotation: the SHA-256 of what was applied; for the assembled Secret its revision."""
ADOPT = f"{GROUP}/adopt"
"""Annotation by which a user lets the operator take over an object that is not its own: the relay's name."""
NUDGE = f"{GROUP}/nudge"
"""Annotation of a pod whose change makes the kubelet look at its mounts at once."""
CONTAINER = "relay"
"""Name of the container that is the relay, among those that a mesh may put into the pod."""
ALIAS_TABLES = 8


def configuration(relay: str) -> str:
    """Name of the ConfigMap, the assembled Secret and the ServiceAccount of a relay."""
    return f"{relay}-mailhaul"


def alias_table(relay: str, number: int) -> str:
    """Name of the ConfigMap with one of the alias tables of a relay."""
    return f"{relay}-mailhaul-aliases-{number}"


def pods_service(relay: str) -> str:
    """Name of the headless Service that gives each replica of a relay its own name."""
    return f"{relay}-pods"


def external_secret(provider: str) -> str:
    """Name of the ExternalSecret of a provider, and of the Secret that it makes; a relay of the provider's name has
    another Secret.
    """
    return f"{provider}-mailhaul-credential"


def relay_labels(relay: str) -> dict[str, str]:
    """Labels of every object of a relay."""
    return {MANAGED_BY: MANAGER, "app.kubernetes.io/name": "mailhaul-relay", RELAY: relay}


def provider_labels(provider: str) -> dict[str, str]:
    """Labels of every object of a provider."""
    return {MANAGED_BY: MANAGER, "app.kubernetes.io/name": "mailhaul-provider", PROVIDER: provider}
