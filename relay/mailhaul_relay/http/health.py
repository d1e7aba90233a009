"""`/healthz` and `/readyz`: whether the process works, and whether it accepts mail.

Health is measured: the event loop answered, and the spool's writer committed something within the deadline. Probes
that come at the same moment share one commit, and its result is good for a second: nobody can make the disk busy.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mailhaul_relay.http.messages import Request, Response, text
from mailhaul_relay.spool.interface import SpoolError

DEADLINE = 5.0
"""Seconds within which the writer must commit."""
FRESH = 1.0
"""Seconds for which a measurement is good."""


class Health:
    """The handlers of both endpoints. `check` commits something (`Spool.check`); `not_ready` gives the reason why
    no mail is accepted now, "" when it is.
    """

    def __init__(self, check: Callable[[], Awaitable[None]], not_ready: Callable[[], str]) -> None:
        self._check = check
        self._not_ready = not_ready
        self._lock = asyncio.Lock()
        self._measured = float("-inf")
        self._trouble = ""

    async def healthz(self, _: Request) -> Response:
        """200 when the loop turns and the writer commits, else 503 with the reason."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._measured >= FRESH:
                self._trouble = await self._measure()
                self._measured = asyncio.get_running_loop().time()
        return text(f"unhealthy: {self._trouble}", 503) if self._trouble else text("ok")

    async def readyz(self, _: Request) -> Response:
        """200 when mail is accepted, else 503 with the reason."""
        reason = self._not_ready()
        return text(f"not ready: {reason}", 503) if reason else text("ok")

    async def _measure(self) -> str:
        try:
            async with asyncio.timeout(DEADLINE):
                await self._check()
        except TimeoutError:
            return f"the spool's writer did not commit within {DEADLINE:g} seconds; look at the volume of the queue"
        except SpoolError as error:
            return "the queue's storage is full; free some" if error.full else "the queue's storage cannot be written"
        return ""
