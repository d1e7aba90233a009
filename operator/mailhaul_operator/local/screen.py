"""Where `up` shows what happens: plain lines, one for each change, or the live table of `table`.

Failures: a closed standard output is not the mail's problem; the line is dropped.
"""

import sys
import time
from collections.abc import Callable
from typing import Protocol

from mailhaul_operator.local.printable import printable
from mailhaul_operator.local.view import RelayView


class Screen(Protocol):
    """Two kinds of it; both take the same calls, from the event loop."""

    def tell(self, line: str) -> None:
        """Show one thing that happened."""

    def show(self, views: tuple[RelayView, ...]) -> None:
        """Show the relays as they are now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainLines:
    """For a file, a pipe or a log: lines as things happen, and each relay's verdict when it changes."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or sys.stdout.write
        self._last: dict[str, tuple[str, ...]] = {}

    def tell(self, line: str) -> None:
        """Write the line with the time of day."""
        try:
            self._write(f"{time.strftime('%H:%M:%S')} {printable(line)}\n")
            sys.stdout.flush()
        except OSError:
            self._write = _nowhere

    def show(self, views: tuple[RelayView, ...]) -> None:
        """Write the verdicts that changed, each with its first cause."""
        for view in views:
            causes = view.verdict.causes if view.verdict else ()
            line = f"{view.headline}: {causes[0].words}" if causes else view.headline
            known = (view.headline, *(one.reason for one in causes[:1]))
            if view.verdict and self._last.get(view.key) != known:
                self._last[view.key] = known
                self.tell(f"{view.key}: {line}")
                if causes:
                    self.tell(f"{view.key}: remedy: {causes[0].remedy}")

    def close(self) -> None:
        """Nothing to restore."""


def _nowhere(line: str) -> int:
    return len(line)
