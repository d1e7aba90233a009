"""Time as a parameter: wall time for what is stored and shown. Durations use the event loop's own clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time in seconds since the epoch."""

    def __call__(self) -> float:
        """Tell the time."""
        ...


class VirtualClock:
    """A clock that stands until it is told to move; of equal rank with the real one, for tests and plans."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell the time that was set."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by some seconds."""
        self.now += seconds


wall_clock: Clock = time.time
