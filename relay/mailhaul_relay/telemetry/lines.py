"""Lines to standard error that never stop the event loop: what a full pipe does not take waits, in a bounded buffer.

`log` writes through it from the loop and from threads; order is kept. Lines of one turn of the loop leave in one
write. The descriptor stays in blocking mode (it may be shared with a shell): poll says whether a piece of up to
PIPE_BUF bytes fits, and such a piece then never blocks (pipe(7)). When nobody reads, the newest lines are given up and
counted, and a line says how many as soon as there is room. A closed standard error is not the mail's problem.
"""

import asyncio
import json
import os
import select
import threading
import time
from collections import deque
from datetime import UTC, datetime

PIECE = select.PIPE_BUF
RETRY = 0.05
"""Seconds until a full pipe is tried again."""


class LineWriter:
    """Writes lines to a descriptor; call it with a line that ends in a line feed. `dropped` counts lines given up."""

    def __init__(self, descriptor: int = 2, limit: int = 1 << 20) -> None:
        self.dropped = 0
        self._told = 0
        self._descriptor = descriptor
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._scheduled = False
        self._lock = threading.RLock()
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def __call__(self, line: str) -> None:
        """Take one line; it is written at the end of this turn of the loop, at once where no loop runs."""
        data = line.encode("ascii", "backslashreplace")
        with self._lock:
            if self._size + len(data) > self._limit:
                self.dropped += 1
                return
            if self.dropped > self._told:
                self._append(self._notice())
            self._append(data)
        if not self._scheduled:
            self._schedule()

    def flush(self) -> None:
        """Write what fits without blocking."""
        with self._lock:
            while self._lines and self._fits(0):
                self._write_piece()

    def close(self, grace: float = 1.0) -> None:
        """Write what is left, waiting for the reader at most `grace` seconds; the writer stays usable."""
        end = time.monotonic() + grace
        with self._lock:
            while self._lines and self._fits(max(0.0, end - time.monotonic())):
                self._write_piece()

    def _append(self, data: bytes) -> None:
        self._lines.append(data)
        self._size += len(data)

    def _schedule(self, delay: float = 0.0) -> None:
        if self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        self._scheduled = True
        if delay:
            loop.call_later(delay, self._scheduled_flush)
        else:
            loop.call_soon(self._scheduled_flush)

    def _scheduled_flush(self) -> None:
        self._scheduled = False
        self.flush()
        if self._lines:
            self._schedule(RETRY)

    def _fits(self, timeout: float) -> bool:
        return bool(self._poll.poll(timeout * 1000))

    def _write_piece(self) -> None:
        piece = self._take_piece()
        try:
            written = os.write(self._descriptor, piece)
        except BlockingIOError:
            written = 0
        except OSError:
            written = len(piece)
        if written < len(piece):
            self._lines.appendleft(piece[written:])
        self._size -= written

    def _take_piece(self) -> bytes:
        """Give whole lines up to PIECE bytes, or the beginning of one longer line."""
        first = self._lines.popleft()
        if len(first) > PIECE:
            self._lines.appendleft(first[PIECE:])
            return first[:PIECE]
        parts, size = [first], len(first)
        while self._lines and size + len(self._lines[0]) <= PIECE:
            parts.append(self._lines.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def _notice(self) -> bytes:
        lost, self._told = self.dropped - self._told, self.dropped
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": "warning", "event": "log-dropped", "lines": lost}
        return json.dumps(line).encode() + b"\n"
