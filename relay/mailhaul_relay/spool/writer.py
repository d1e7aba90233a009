"""The one thread that writes: takes every waiting operation, commits them in one transaction, then answers them all.

While one batch is synced, the next one gathers; what the event loop asks comes by `gathering`. `sqlite` submits, from
any thread; answers come on the event loop, all of a batch in one call. How a commit fails and recovers is
`committer`'s.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue

from mailhaul_relay.spool.census import Census
from mailhaul_relay.spool.committer import Answer, Committer
from mailhaul_relay.spool.gathering import Gathering
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.operations import Accept, Effect, Operation, Stop, Work
from mailhaul_relay.telemetry.log import Log

_BATCH = 512
"""Operations of one transaction at most: bounds its memory and how long the last of them waits."""
_BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of bodies after which a transaction takes no more: bounds the log below the reserve."""


class Writer:
    """Group commit. `unlink` removes a body file. Must be made on the event loop that it answers to."""

    def __init__(self, committer: Committer, census: Census, unlink: Callable[[str], None], log: Log) -> None:
        self._committer = committer
        self._census = census
        self._unlink = unlink
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[list[Operation] | Stop] = SimpleQueue()
        self._gathering = Gathering(self._loop, self._waiting.put)
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation) -> None:
        """Ask for an operation; its future is resolved on the event loop."""
        if threading.get_ident() == self._loop_thread:
            self._gathering.add(operation)
        else:
            self._waiting.put([operation])

    def flush(self) -> None:
        """Let nothing that was asked wait for company; before `stop`, on the loop's thread."""
        self._gathering.flush()

    def stop(self) -> None:
        """Finish everything that was asked and end. Blocks."""
        self._waiting.put(Stop())
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._take()
            if batch:
                self._handle(batch)
        self._committer.close()

    def _take(self) -> tuple[list[Operation], bool]:
        """Wait for operations and take all there are, up to the bounds of a batch; False when it is time to end."""
        batch: list[Operation] = []
        size = 0
        while True:
            operations = self._waiting.get()
            if isinstance(operations, Stop):
                return batch, False
            batch += operations
            size += sum(len(one.row.body or b"") for one in operations if type(one) is Accept)
            if len(batch) >= _BATCH or size >= _BATCH_BYTES or self._waiting.empty():
                return batch, True

    def _handle(self, batch: list[Operation]) -> None:
        """Commit a batch, answer it, then tidy up: nobody waits for the tidying."""
        try:
            effect, answers = self._committer.commit(batch)
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever one batch does to it
            self._log.event("spool-writer-error", level="error", detail=repr(error))
            self._committer.abandon()
            effect, answers = Effect(), [(one, SpoolError("the spool's writer failed")) for one in batch]
        self._census.apply(effect.changes, effect.quarantined)
        self._drop_refused(answers)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, answers)
        for name in effect.files:
            self._unlink(name)
        self._committer.tidy(self._waiting.empty())

    def _drop_refused(self, answers: list[Answer]) -> None:
        for operation, error in answers:
            if error and type(operation) is Accept and operation.row.file:
                self._unlink(operation.row.file)


def _resolve(answers: list[Answer]) -> None:
    for operation, error in answers:
        if operation.future.done():
            continue
        if error:
            operation.future.set_exception(SpoolError(str(error), full=error.full))
        elif isinstance(operation, Work):
            operation.future.set_result(operation.result)
        else:
            operation.future.set_result(None)
