"""One owner for a spool directory: two relays on one queue would deliver everything twice.

The lock is flock(2) on `spool.lock`: the kernel drops it when the process ends, however it ends. `opening` takes it
first and `sqlite` gives it up last. Fails with SpoolError that names the owner's process id.
"""

import fcntl
import os
from pathlib import Path

from mailhaul_relay.spool.failures import from_os
from mailhaul_relay.spool.interface import SpoolError


class Ownership:
    """The lock of a directory, held from construction to `release`."""

    def __init__(self, directory: Path) -> None:
        path = directory / "spool.lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise from_os(error, f"open {path}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise self._refused(path, error) from error

    def _refused(self, path: Path, error: OSError) -> SpoolError:
        owner = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
        self.release()
        if not isinstance(error, BlockingIOError):
            return from_os(error, f"lock {path}")
        return SpoolError(
            f"the spool directory {path.parent} is in use by process {owner or 'unknown'} (it holds {path.name}): "
            "stop that relay first, or give this one its own directory"
        )

    def release(self) -> None:
        """Give the lock up. Harmless when called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
