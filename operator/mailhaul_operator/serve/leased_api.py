"""An `Api` that writes nothing while this process does not hold the lease.

A process that was frozen or cut off wakes in the middle of a pass; what it would write is refused here, before the
loop has had time to notice. Reads go on. The refusal is one that passes by itself: nobody is told of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mailhaul_operator.effects.api import Api
from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

_NOT_OURS = Refused(Refusal.UNAVAILABLE, "this operator does not hold the lease, so it writes nothing")


class LeasedApi(Api):
    """Set `may_write` before the first write."""

    may_write: Callable[[], bool] = staticmethod(lambda: False)

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        """As `Api.apply`, with the lease."""
        return await super().apply(body) if self.may_write() else _NOT_OURS

    async def create(self, body: Mapping[str, Any]) -> Body | Refused:
        """As `Api.create`, with the lease."""
        return await super().create(body) if self.may_write() else _NOT_OURS

    async def delete(self, body: Mapping[str, Any], *, orphan: bool = False) -> Body | Refused:
        """As `Api.delete`, with the lease."""
        return await super().delete(body, orphan=orphan) if self.may_write() else _NOT_OURS

    async def patch(
        self, kind: Kind, key: tuple[str, str], patch: Mapping[str, Any], subresource: str = ""
    ) -> Body | Refused:
        """As `Api.patch`, with the lease."""
        return await super().patch(kind, key, patch, subresource) if self.may_write() else _NOT_OURS
