"""Which documents are ours, and the model that each becomes.

Ours are the three kinds and what the plan needs of Kubernetes; a `List` is its items; the rest is passed over.
"""

from collections.abc import Iterator
from typing import Any

from mailhaul_contract.names import GROUP
from mailhaul_operator.api.inputs import ConfigMap, Namespace, Secret
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.manifests.positions import child, item

Model = SmtpRelay | UpstreamProvider | MailAlias | Secret | ConfigMap | Namespace
OWN: dict[str, type[SmtpRelay | UpstreamProvider | MailAlias]] = {
    "SmtpRelay": SmtpRelay,
    "UpstreamProvider": UpstreamProvider,
    "MailAlias": MailAlias,
}
CORE: dict[str, type[Secret | ConfigMap | Namespace]] = {
    "Secret": Secret,
    "ConfigMap": ConfigMap,
    "Namespace": Namespace,
}


def model_of(document: dict[str, Any]) -> type[Model] | None:
    """Give the model of a document, by its kind; None when it is none of ours.

    A kind of ours under another group is taken as ours, so that a mistyped apiVersion is told and not passed over.
    """
    kind, version = text(document, "kind"), text(document, "apiVersion")
    if kind in CORE and version == "v1":
        return CORE[kind]
    return OWN.get(kind)


def is_unknown_kind_of_ours(document: dict[str, Any]) -> bool:
    """Whether it claims our group with a kind that does not exist."""
    return text(document, "apiVersion").partition("/")[0] == GROUP and text(document, "kind") not in OWN


def unpacked(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the objects of a document with their paths in it: itself, or the items of a List."""
    items = document.get("items")
    if text(document, "kind").endswith("List") and isinstance(items, list):
        for index, one in enumerate(items):
            yield item(child("", "items"), index), one
    else:
        yield "", document


def text(document: dict[str, Any], key: str) -> str:
    """Give a member that should be text; empty when it is absent or something else."""
    value = document.get(key)
    return value if isinstance(value, str) else ""
