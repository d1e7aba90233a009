"""The one thread that writes: takes every waiting operation, commits them in one transaction, then answers them all.

While one batch is synced, the next one gathers; under load a batch waits some milliseconds for company. `sqlite`
submits, from any thread; answers come on the event loop, all of a batch in one call. How a commit fails and recovers is
`committer`'s.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from mailhaul_relay.spool.census import Census
from mailhaul_relay.spool.committer import Answer, Committer
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.operations import Accept, Effect, Operation, Stop, Work
from mailhaul_relay.telemetry.log import Log

_BATCH = 512
"""Operations of one transaction at most: bounds its memory and how long the last of them waits."""
_BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of bodies after which a transaction takes no more: bounds the log below the reserve."""
_COMPANY = 0.0005
_COMPANY_AT_MOST = 0.005
"""Seconds from one batch's begin to the next's, for each operation of the former and at most. Batches of a busy relay
grow by it: SQLite gives up the interpreter's lock some 20 times in a batch, and a busy event loop makes each of them a
switch of threads (a fifth of the CPU at 2000 messages a second). A single client waits half a millisecond.
"""


class Writer:
    """Group commit. `unlink` removes a body file. Must be made on the event loop that it answers to."""

    def __init__(self, committer: Committer, census: Census, unlink: Callable[[str], None], log: Log) -> None:
        self._committer = committer
        self._census = census
        self._unlink = unlink
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[Operation | Stop] = SimpleQueue()
        self._next = 0.0
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation) -> None:
        """Ask for an operation; its future is resolved on the event loop."""
        self._waiting.put(operation)

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
        batch: list[Operation] = []
        size = 0
        operation = self._waiting.get()
        if (early := self._next - time.monotonic()) > 0:
            time.sleep(early)
        begun = time.monotonic()
        while not isinstance(operation, Stop):
            batch.append(operation)
            size += len(operation.row.body or b"") if type(operation) is Accept else 0
            if len(batch) >= _BATCH or size >= _BATCH_BYTES or self._waiting.empty():
                self._next = begun + min(_COMPANY_AT_MOST, _COMPANY * len(batch))
                return batch, True
            operation = self._waiting.get()
        return batch, False

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
