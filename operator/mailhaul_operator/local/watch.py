"""Notices that a file of resources changed, appeared or went.

Polled by `up`: a look costs a `stat` for each file, follows editors that write by rename, and needs no inotify.
Failures: none; what cannot be looked at counts as absent, and the reader then says why.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mailhaul_operator.manifests.files import FileRefused, find

INTERVAL: Final = 0.25
"""Seconds between looks."""

Fingerprint = frozenset[tuple[str, int, int, int]]


def fingerprint(paths: Iterable[Path]) -> Fingerprint:
    """Give a value that differs when the content of the files that would be read may differ."""
    seen: set[tuple[str, int, int, int]] = set()
    with contextlib.suppress(FileRefused):
        for file in find(paths):
            with contextlib.suppress(OSError):
                status = file.stat()
                seen.add((str(file), status.st_ino, status.st_mtime_ns, status.st_size))
    return frozenset(seen)


async def changed(paths: Iterable[Path], known: Fingerprint) -> Fingerprint:
    """Wait until the fingerprint differs from the known one and has stood still for one look; give it."""
    files, last = tuple(paths), known
    while True:
        await asyncio.sleep(INTERVAL)
        now = await asyncio.to_thread(fingerprint, files)
        if now == last != known:
            return now
        last = now
