"""What the effects remember of the world: a protocol, for `observe.cache.Cache` is a room beside this one."""

from collections.abc import Mapping
from typing import Any, Protocol

from mailhaul_operator.wire.kinds import Body


class Known(Protocol):
    """The objects that were seen last, as watch events and our own writes brought them."""

    def get(self, kind: str, namespace: str, name: str) -> Body | None:
        """Give an object as it was seen last."""

    def owned(self, uid: str) -> tuple[Body, ...]:
        """Give the objects whose controller has this uid."""

    def put(self, body: Mapping[str, Any]) -> object:
        """Remember an object as it is now."""

    def remove(self, body: Mapping[str, Any]) -> object:
        """Forget an object that is gone."""
