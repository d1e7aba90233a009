"""Notices that the wall clock was set back: what was to fall due by it would wait for as long as it had gone ahead.

A node whose clock is hours ahead at its start, until it is set right, is no rarity. `scanner` looks, again and again;
the loop's own clock knows how much time has really passed. Nothing here fails.
"""

import asyncio

from mailhaul_relay.ports.clock import Clock

LEAST = 60.0
"""Seconds below which it is no matter: mail may come so much later."""


class SetBack:
    """The wall clock beside the loop's, since the last look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: float | None = None

    def noticed(self) -> float:
        """The seconds by which the clock was set back since the last look, 0 when it was not."""
        ahead = self._clock() - asyncio.get_running_loop().time()
        before, self._ahead = self._ahead, ahead
        seconds = 0.0 if before is None else before - ahead
        return seconds if seconds >= LEAST else 0.0
