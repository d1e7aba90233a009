"""Objects as the cache keeps them: without what nobody reads, as compressed JSON. Pure.

A parsed object takes about four times the memory of its text, and that twice as much as when it is compressed; a
thousand relays have ten thousand objects. So that is kept, and parsed when it is asked for.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import metadata

_DROPPED = ("managedFields", "selfLink")
_UNREAD = {"Pod": ("spec",)}
"""Members of kinds that nobody asks for: of a pod only what it is labelled, whose it is and how it is."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def packed(body: Mapping[str, Any]) -> bytes:
    """Give an object without managed fields, kubectl's copy of it and what nobody asks for, packed."""
    unread = _UNREAD.get(str(body.get("kind", "")), ())
    rest = {name: value for name, value in body.items() if name not in unread}
    kept = {**rest, "metadata": trimmed(metadata(body))}
    return zlib.compress(to_json(kept), 1)


def trimmed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Give metadata without managed fields and kubectl's copy of the object."""
    kept = {name: value for name, value in found.items() if name not in _DROPPED}
    if _LAST_APPLIED in (kept.get("annotations") or {}):
        kept["annotations"] = {name: text for name, text in kept["annotations"].items() if name != _LAST_APPLIED}
    return kept


def unpacked(text: bytes) -> Body:
    """Give the object; it is the caller's own."""
    body: Body = from_json(zlib.decompress(text))
    return body


def packed_resource(body: Mapping[str, Any]) -> bytes:
    """Give one of our resources without its spec, which is kept as a model."""
    return packed({name: value for name, value in body.items() if name != "spec"})
