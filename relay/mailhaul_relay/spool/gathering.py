"""Gathers what the event loop asks of the writer, and hands it over when the loop has nothing else to do.

`writer` owns one. Batches of a busy relay grow by it: every batch costs a sync, and SQLite gives up the interpreter's
lock at each step, which a busy loop turns into a switch of threads. While the loop works, more is about to come; once
it is idle nobody gains by waiting, so a single client waits for nothing. `LONGEST` bounds the wait of a loop that is
never idle. Runs on the loop's thread only; nothing here fails.
"""

import asyncio
import time
from collections.abc import Callable

from mailhaul_relay.spool.operations import Accept, Operation

IDLE = 0.00005
"""Seconds below which a turn of the loop had nothing to do."""
LONGEST = 0.012
MOST = 256
MOST_OCTETS = 2 * 1024 * 1024
"""Operations and bytes of bodies that wait for no more company."""


class Gathering:
    """The operations of one batch to be."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hand_over: Callable[[list[Operation]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop, self._hand_over, self._clock = loop, hand_over, clock
        self._operations: list[Operation] = []
        self._octets = 0
        self._since = 0.0
        self._looked = 0.0

    def add(self, operation: Operation) -> None:
        """Take an operation; it is handed over soon."""
        self._operations.append(operation)
        self._octets += len(operation.row.body or b"") if type(operation) is Accept else 0
        if len(self._operations) >= MOST or self._octets >= MOST_OCTETS:
            self.flush()
        elif len(self._operations) == 1:
            self._since = self._looked = self._clock()
            self._loop.call_soon(self._look)

    def flush(self) -> None:
        """Hand over what there is."""
        operations, self._operations, self._octets = self._operations, [], 0
        if operations:
            self._hand_over(operations)

    def _look(self) -> None:
        if not self._operations:
            return
        now = self._clock()
        if now - self._looked < IDLE or now - self._since >= LONGEST:
            self.flush()
        else:
            self._looked = now
            self._loop.call_soon(self._look)
