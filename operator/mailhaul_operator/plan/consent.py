"""Whether a relay lets aliases of a namespace into one of its domains.

Called by `aliases`. A Namespace that was not read has no labels but its name, which the API server gives to each; so a
selector that needs more says no. Pure.
"""

from mailhaul_operator.api.relay_aliases import AliasNamespaces, From
from mailhaul_operator.plan.snapshot import Snapshot

NAME_LABEL = "kubernetes.io/metadata.name"


def consents(consent: AliasNamespaces, snapshot: Snapshot, namespace: str) -> bool:
    """Whether the consent covers a namespace; the relay's own is always covered."""
    if namespace == snapshot.namespace or consent.from_ is From.ALL:
        return True
    if consent.from_ is not From.SELECTOR or consent.selector is None:
        return False
    known = snapshot.resources.namespace(namespace)
    labels = {**(known.metadata.labels if known else {}), NAME_LABEL: namespace}
    return all(labels.get(key) == value for key, value in consent.selector.match_labels.items())
