"""The replies that no row of the table of replies knows, by provider, kept over restarts so that the table can grow.

Mail and probes tell it of each (`smtpout.unmatched_replies`), `http` lists them. A change is stored within a second,
with all others of that second: a crash forgets that second. At `MOST_PROVIDERS` the one that was heard least recently
makes room.
Failures: a store that refuses is logged by `keeper`, and the next change is stored again.
"""

from collections.abc import Iterator

from mailhaul_relay.policy.unmatched import Kind, Seen, Unmatched
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.keeper import Keeper
from mailhaul_relay.spool.interface import Spool
from mailhaul_relay.telemetry.log import Log

MOST_PROVIDERS = 50
_PREFIX = "unmatched/"


class ReplyBook:
    """The list. `saw` takes no time and never fails."""

    def __init__(self, spool: Spool, log: Log, clock: Clock) -> None:
        self._spool, self._clock = spool, clock
        self._keeper = Keeper(spool, log)
        self._known: dict[str, Unmatched] = {}

    async def restore(self) -> None:
        """Read what an earlier process remembered. Raises SpoolError."""
        now = self._clock()
        for name, data in (await self._spool.remembered()).items():
            if name.startswith(_PREFIX) and (known := Unmatched.from_json(data, now)).kinds:
                self._known[name.removeprefix(_PREFIX)] = known

    def saw(self, provider: str, kind: Kind) -> None:
        """A provider said something that no row knows."""
        known = self._known.pop(provider, Unmatched()).after(kind, self._clock())
        if len(self._known) >= MOST_PROVIDERS:
            self._forget(next(iter(self._known)))
        self._known[provider] = known
        self._store(provider)

    def listed(self) -> Iterator[tuple[str, Kind, Seen]]:
        """Give every kind with its provider, those seen most often first."""
        found = [(provider, *one) for provider, known in self._known.items() for one in known.kinds.items()]
        return iter(sorted(found, key=lambda one: (-one[2].times, one[0], one[1])))

    async def flush(self) -> None:
        """Store what has not been stored yet."""
        await self._keeper.flush()

    def _forget(self, provider: str) -> None:
        del self._known[provider]
        self._store(provider)

    def _store(self, provider: str) -> None:
        def give() -> dict[str, object]:
            known = self._known.get(provider)
            return known.to_json() if known else {}

        self._keeper.changed(_PREFIX + provider, give)
