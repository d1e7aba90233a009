"""What is said to many connections in one turn of the event loop leaves together, at its end.

Every write may wake a program that waits for it, and on one machine such a wake-up costs as much as a hundred lines of
Python: a client that is woken by the first of twenty replies finds the others when it looks again. Where writes are
found to have no company, as those to a single client, the next ones leave at once. Each listener and each transport has
one. Failures: a write that raises is told to the loop's handler, and the others are sent.
"""

import asyncio
from collections.abc import Callable

Write = Callable[[], None]

LONELY = 3
"""Turns in a row with a single write, after which writes wait for no company for a while."""
AT_ONCE = 48
"""Writes that leave at once then, before company is looked for again."""


class Outbox:
    """Puts writes off to the end of this turn of the running loop; their order is kept."""

    __slots__ = ("_at_once", "_lonely", "_writes")

    def __init__(self) -> None:
        self._writes: list[Write] = []
        self._lonely = 0
        self._at_once = 0

    def add(self, write: Write) -> None:
        """Call `write` at the end of this turn, or at once while there is no company."""
        if self._at_once:
            self._at_once -= 1
            write()
            return
        if not self._writes:
            asyncio.get_running_loop().call_soon(self.send)
        self._writes.append(write)

    def send(self) -> None:
        """Do now what was put off."""
        writes, self._writes = self._writes, []
        self._lonely = self._lonely + 1 if len(writes) == 1 else 0
        if self._lonely == LONELY:
            self._lonely, self._at_once = 0, AT_ONCE
        for write in writes:
            try:
                write()
            except Exception as error:  # noqa: BLE001 - one connection's trouble must not silence the others
                context = {"message": "a write to a connection failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
