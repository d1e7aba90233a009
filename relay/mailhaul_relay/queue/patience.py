"""How long work rests that only sorts what cannot leave, so that mail that can leave keeps the event loop for itself.

`scanner` uses it. The rest is a multiple of what the work took: as long as it while the process has little else to do,
sixteen times as long while it is busy. Nothing here fails.
"""

import asyncio
import time
from collections.abc import Callable

SHORTEST, LONGEST = 0.02, 1.0
"""Seconds of one rest."""
_YIELDING = 15.0
_PARTS = 3.0
"""Reading and storing take about twice what the decision takes, in other threads under the same interpreter lock."""


class Patience:
    """Rests, and learns meanwhile how busy the process is without this work."""

    def __init__(self, cpu: Callable[[], float] = time.process_time) -> None:
        self._cpu = cpu
        self.busy = 1.0
        """The part of one core that the process used during the last rest; 1 before there was one."""

    async def rest(self, seconds: float) -> None:
        """Rest after decisions that took so many seconds."""
        clock = asyncio.get_running_loop().time
        began, used = clock(), self._cpu()
        await asyncio.sleep(min(LONGEST, max(SHORTEST, _PARTS * seconds * (1.0 + _YIELDING * self.busy))))
        self.busy = min(1.0, (self._cpu() - used) / max(SHORTEST, clock() - began))
