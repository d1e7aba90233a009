"""Stores small states a second after they changed, all changes of that second at once.

`memory` owns it, `ledgers` uses it too. Nobody waits for it: whoever changes something names it here, and what it is
by then is asked for when it is stored. So a crash forgets the changes of the last second. Failures: a store that
refuses is logged, and the next change is stored again.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

INTERVAL = 1.0
"""Seconds in which all changes of a state are stored at once."""

Give = Callable[[], Mapping[str, Any]]


class Keeper:
    """The states that are to be stored soon, by key."""

    def __init__(self, spool: Spool, log: Log) -> None:
        self._spool, self._log = spool, log
        self._gives: dict[str, Give] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._saves: set[asyncio.Task[None]] = set()

    def changed(self, key: str, give: Give) -> None:
        """Have a state stored; `give` tells what it is by then. The last one of a key counts."""
        self._gives[key] = give
        if key not in self._timers:
            self._timers[key] = asyncio.get_running_loop().call_later(INTERVAL, self._begin, key)

    async def flush(self) -> None:
        """Store what has not been stored yet."""
        for key, timer in list(self._timers.items()):
            timer.cancel()
            self._begin(key)
        if self._saves:
            await asyncio.wait(self._saves)

    def _begin(self, key: str) -> None:
        del self._timers[key]
        task = asyncio.get_running_loop().create_task(self._save(key, self._gives.pop(key)))
        self._saves.add(task)
        task.add_done_callback(self._saves.discard)

    async def _save(self, key: str, give: Give) -> None:
        try:
            await self._spool.remember(key, give())
        except SpoolError as error:
            self._log.event("store-refused", level="error", what=key, reason=str(error))
