"""An `Api` that writes nothing while this process does not hold the lease.

A process that was frozen or cut off wakes in the middle of a pass; what it would write is refused here, before the
loop has had time to notice. Reads go on. The refusal is one that passes by itself: nobody is told of it.
"""

from collections.abc import Callable
from typing import Any, Final

from mailhaul_operator.effects.api import Api
from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

READS: Final = frozenset({"get", "list", "discover"})
"""Verbs that change nothing; every other one needs the lease."""
_NOT_OURS: Final = Refused(Refusal.UNAVAILABLE, "this operator does not hold the lease, so it writes nothing")


class LeasedApi(Api):
    """Set `may_write` before the first write."""

    may_write: Callable[[], bool] = staticmethod(lambda: False)

    async def _request(self, verb: str, kind: Kind, path: str, **options: Any) -> Body | Refused:  # noqa: ANN401
        if verb not in READS and not self.may_write():
            return _NOT_OURS
        return await super()._request(verb, kind, path, **options)
