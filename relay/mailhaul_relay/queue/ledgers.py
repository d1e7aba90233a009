"""The ledgers of all providers, kept over restarts in the spool's small states, off the way of the mail.

`memory` owns it, `ways` gets from it the ledger of each upstream. A ledger belongs to the provider, not to one
configuration of it: a rotated credential or another limit counts on. It is stored a second after it changed, all
changes of that second at once. So after a crash it may have counted too much (what was under way), and too little by no
more than what was sent in that last second. Failures: a store that refuses is logged; the ledger in memory holds, and
the next change is stored again.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.ledger import Ledger
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

PREFIX = "quota/"
INTERVAL = 1.0
"""Seconds in which all changes of a ledger are stored at once."""


class Ledgers:
    """A ledger for each provider that has, or had, quotas. `ordinal` is this replica's number among its siblings."""

    def __init__(self, spool: Spool, log: Log, ordinal: int) -> None:
        self._spool, self._log, self._ordinal = spool, log, ordinal
        self._stored: dict[str, Mapping[str, Any]] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._saves: set[asyncio.Task[None]] = set()

    def restore(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what an earlier process remembered."""
        self._stored = {key: value for key, value in stored.items() if key.startswith(PREFIX)}

    def of(self, upstream: Upstream, clock: Clock) -> Ledger | None:
        """Give the ledger of an upstream's provider with the limits of now; None when there is nothing to count."""
        if not upstream.quotas:
            return None
        ledger = self._ledgers.get(upstream.provider)
        if ledger is None:
            key = PREFIX + upstream.provider
            ledger = self._ledgers[upstream.provider] = Ledger(self._stored.pop(key, {}), self._ordinal, clock)
            ledger.on_change = lambda: self._changed(upstream.provider)
        ledger.follow(upstream)
        return ledger

    async def flush(self) -> None:
        """Store what has not been stored yet."""
        for provider, timer in list(self._timers.items()):
            timer.cancel()
            self._begin(provider)
        if self._saves:
            await asyncio.wait(self._saves)

    def _changed(self, provider: str) -> None:
        if provider not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[provider] = loop.call_later(INTERVAL, self._begin, provider)

    def _begin(self, provider: str) -> None:
        del self._timers[provider]
        task = asyncio.get_running_loop().create_task(self._save(provider))
        self._saves.add(task)
        task.add_done_callback(self._saves.discard)

    async def _save(self, provider: str) -> None:
        try:
            await self._spool.remember(PREFIX + provider, self._ledgers[provider].to_json())
        except SpoolError as error:
            self._log.event("store-refused", level="error", what=PREFIX + provider, reason=str(error))
