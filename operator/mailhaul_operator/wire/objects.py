"""Reads of an object's metadata that several rooms need: who owns it, whether it is going, when it was made. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailhaul_contract.names import API_VERSION

Metadata = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """The resource that objects are made for; it becomes their controller."""

    kind: str
    namespace: str
    name: str
    uid: str

    def reference(self) -> dict[str, Any]:
        """Give the ownerReference. It does not block the owner's deletion, which needs a right on finalizers."""
        names = {"apiVersion": API_VERSION, "kind": self.kind, "name": self.name, "uid": self.uid}
        return {**names, "controller": True, "blockOwnerDeletion": False}


def metadata(body: Mapping[str, Any]) -> Metadata:
    """Give the metadata; empty when there is none."""
    found = body.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Give namespace ("" of a cluster's object) and name."""
    found = metadata(body)
    return found.get("namespace", ""), found.get("name", "")


def labels(body: Mapping[str, Any]) -> Mapping[str, str]:
    """Give the labels."""
    return metadata(body).get("labels") or {}


def annotations(body: Mapping[str, Any]) -> Mapping[str, str]:
    """Give the annotations."""
    return metadata(body).get("annotations") or {}


def controller(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the ownerReference of the controller; empty when there is none."""
    references = metadata(body).get("ownerReferences") or ()
    return next((one for one in references if one.get("controller")), {})


def is_going(body: Mapping[str, Any]) -> bool:
    """Whether it was deleted and is still there."""
    return bool(metadata(body).get("deletionTimestamp"))


def version_of(body: Mapping[str, Any]) -> int:
    """Give the resourceVersion as a number, by which two reads of one object are ordered; 0 when there is none."""
    text = metadata(body).get("resourceVersion", "")
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else 0


def epoch(text: object) -> float:
    """Give a timestamp of the API (RFC 3339) in seconds since the epoch; 0 when it is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
