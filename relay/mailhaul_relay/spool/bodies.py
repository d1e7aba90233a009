"""Bodies while they come in, and the files of large ones.

`smtpin` writes through `SpoolBody`; `sqlite` claims a finished file, syncs it and hands its name to `writer`, which
unlinks it after the message's removal is committed. A file has its own random name and never changes it: the row in the
database is what makes it count, so that a crash at any moment leaves at worst an orphan (removed at start).

Failures: SpoolError from `write`, `finish` and `sync`. A file whose sync failed is never synced again, for Linux
forgets the pages after it told the error once (fsync(2)): it is unlinked and its message refused.
"""

import os
import secrets
from pathlib import Path

from mailhaul_relay.model.message import Body
from mailhaul_relay.spool.failures import from_os, lack_of_room
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.settings import Settings

_CHUNK = 256 * 1024


class BodyStore:
    """The directory of body files, those that are not yet anybody's, and the memory of all that come in or wait for
    their commit.

    Used on the event loop, but for `sync`, `unlink` and `path` (any thread).
    """

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.settings = settings
        self.in_memory = 0
        self._finished: dict[str, int] = {}

    def new_body(self) -> "SpoolBody":
        """Give a writer for one body."""
        return SpoolBody(self)

    def path(self, name: str) -> Path:
        """Give the path of a body file."""
        return self.directory / name

    def create(self) -> tuple[str, int]:
        """Make an empty body file: its name and descriptor. Raises SpoolError."""
        name = secrets.token_hex(12)
        if shortage := lack_of_room(self.directory, self.settings.reserve):
            raise shortage
        try:
            return name, os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise from_os(error, "create a body file") from error

    def keep(self, name: str, descriptor: int) -> Path:
        """Remember a finished file until it is claimed or discarded. The descriptor stays open for its sync: one opened
        later might not be told of an earlier failure to write back.
        """
        self._finished[name] = descriptor
        return self.path(name)

    def claim(self, body: Body) -> int | None:
        """Take a finished file over for `accept`: its descriptor, None when in memory. Raises SpoolError."""
        if body.path is None:
            return None
        descriptor = self._finished.pop(body.path.name, None)
        if descriptor is None:
            raise SpoolError(f"the body file {body.path.name} was not written by this spool or was already used")
        return descriptor

    def discard(self, name: str) -> None:
        """Unlink a finished file that nobody claimed; nothing happens for one that was."""
        descriptor = self._finished.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
            self.unlink(name)

    def sync(self, descriptor: int) -> None:
        """Put a claimed file and its directory entry on stable storage, and close it. Raises SpoolError."""
        try:
            try:
                if self.settings.syncs.body:
                    os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            if self.settings.syncs.directory:
                sync_directory(self.directory)
        except OSError as error:
            raise from_os(error, "sync a body file") from error

    def unlink(self, name: str) -> None:
        """Remove a file; one that cannot be removed now is an orphan and goes at the next start."""
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError:
            return

    def close(self) -> None:
        """Forget every file that was finished and never claimed."""
        for name in list(self._finished):
            self.discard(name)


class SpoolBody:
    """A body that comes in (`interface.BodyWriter`): in memory while small, else in a file."""

    def __init__(self, store: BodyStore) -> None:
        self._store = store
        self._buffer = bytearray()
        self._size = 0
        self._reserved = 0
        self._name = ""
        self._descriptor = -1

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def write(self, data: bytes) -> None:
        """Add bytes; goes over to a file at the threshold or when all open bodies hold too much memory."""
        self._buffer += data
        self._size += len(data)
        if self._descriptor < 0:
            self._reserve(len(data))
            settings = self._store.settings
            if self._size <= settings.body_in_file and self._store.in_memory <= settings.body_memory:
                return
            self._name, self._descriptor = self._store.create()
            self._reserve(-self._reserved)
            self._flush()
        elif len(self._buffer) >= _CHUNK:
            self._flush()

    def finish(self) -> Body:
        """Close the body. While it waits for its commit it is in memory still: that ends with `discard`."""
        if self._descriptor < 0:
            body = Body(size=self._size, data=bytes(self._buffer))
            self._buffer = bytearray()
            return body
        self._flush()
        descriptor, self._descriptor = self._descriptor, -1
        return Body(size=self._size, path=self._store.keep(self._name, descriptor))

    def discard(self) -> None:
        """Forget the body; a file that `accept` took over is not touched."""
        self._release()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._store.unlink(self._name)
        elif self._name:
            self._store.discard(self._name)

    def _flush(self) -> None:
        view = memoryview(self._buffer)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise from_os(error, "write a body file") from error
        finally:
            view.release()
        self._buffer = bytearray()

    def _reserve(self, size: int) -> None:
        self._reserved += size
        self._store.in_memory += size

    def _release(self) -> None:
        self._reserve(-self._reserved)
        self._buffer = bytearray()


def sync_directory(directory: Path) -> None:
    """Put the entries of a directory on stable storage. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
