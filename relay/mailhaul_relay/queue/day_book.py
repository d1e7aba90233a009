"""Keeps what was delivered and what failed in the last 24 hours over restarts, in the spool's small states.

`account` counts in the tally, and only there: this looks once a second whether anything has ended since, and then
writes one small record, so that mail never waits for it. After a crash the day misses at most what ended in that last
second. An Ephemeral relay's spool goes with its pod, and its day begins anew with it. `app` restores it before mail
leaves and flushes it at a stop. Failures: a store that refuses is told once and asked again; what cannot be read is
forgotten.
"""

import asyncio

from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

KEY = "last-day"
INTERVAL = 1.0
"""Seconds between two looks, and so at least between two writes."""


class DayBook:
    """The durable side of the tally's last day."""

    def __init__(self, spool: Spool, tally: Tally, log: Log, clock: Clock) -> None:
        self._spool, self._tally, self._log, self._clock = spool, tally, log, clock
        self._kept = (0, 0)
        self._refused = False

    async def restore(self) -> None:
        """Add what earlier processes counted. Raises SpoolError."""
        stored, now = (await self._spool.remembered()).get(KEY, {}), self._clock()
        self._tally.delivered_last_day.restore(stored.get("delivered"), now)
        self._tally.failed_last_day.restore(stored.get("failed"), now)

    async def run(self) -> None:
        """Write what has ended, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.flush()

    async def flush(self) -> None:
        """Write what has ended since the last time."""
        ended = (self._tally.delivered, self._tally.failed)
        if ended == self._kept:
            return
        day = {
            "delivered": self._tally.delivered_last_day.to_json(),
            "failed": self._tally.failed_last_day.to_json(),
        }
        try:
            await self._spool.remember(KEY, day)
        except SpoolError as error:
            if not self._refused:
                self._log.event("store-refused", level="error", what=KEY, reason=str(error))
            self._refused = True
            return
        self._kept, self._refused = ended, False
