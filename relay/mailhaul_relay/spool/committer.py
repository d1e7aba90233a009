"""Makes a batch durable or certainly not there, and gets the connection back on its feet when the disk does.

Runs in `writer`'s thread only. A commit that fails is rolled back and its operations are answered with SpoolError; when
only space had run out, removals and updates are tried once more without the accepts.

After a failed sync nothing of the batch may come back, not even after a kill: SQLite has then written the batch's
frames to the log and merely not counted them, and the recovery after a crash would find them. So a tiny transaction is
written over their beginning at once (`_bury`); SQLite's chained checksums make the rest worthless. Then the connection
is given up. The next operation opens a new one, which must carry the whole log over into the database, with its syncs,
before anything is accepted again. docs/design/0003-spool.md has the reasoning.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mailhaul_relay.spool.batch import OWN_FAULTS, apply_apart, apply_together
from mailhaul_relay.spool.failures import from_sqlite, is_unreadable, lack_of_room
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.operations import Accept, Effect, Operation, Remove
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.store import Store
from mailhaul_relay.telemetry.log import Log

Answer = tuple[Operation, SpoolError | None]

_PAGE = 4096
_VACUUM_PAGES = 256


class Committer:
    """Transactions on a connection that may fail. `reopen` gives a new one."""

    def __init__(
        self, store: Store, reopen: Callable[[], Store], directory: Path, settings: Settings, log: Log
    ) -> None:
        self._store: Store | None = store
        self._reopen = reopen
        self._directory = directory
        self._settings = settings
        self._log = log
        self._failing = False
        self._stuck: SpoolError | None = None
        self._short: SpoolError | None = None
        self._log_pages = 0

    def commit(self, batch: list[Operation]) -> tuple[Effect, list[Answer]]:
        """Commit what can be committed of a batch; an answer for each of its operations, None for success."""
        accepts = [one for one in batch if type(one) is Accept]
        refusal = self._refusal() if accepts else None
        if refusal is None:
            try:
                return self._transact(batch)
            except SpoolError as error:
                refusal = error
        others = [one for one in batch if type(one) is not Accept]
        if not refusal.full or not accepts or not others:
            return Effect(), [(one, refusal) for one in batch]
        effect, answers = self._commit_others(others)
        return effect, answers + [(one, refusal) for one in accepts]

    def _commit_others(self, others: list[Operation]) -> tuple[Effect, list[Answer]]:
        try:
            return self._transact(others)
        except SpoolError as error:
            return Effect(), [(one, error) for one in others]

    def _refusal(self) -> SpoolError | None:
        if self._stuck:
            self.tidy(idle=False)
        self._short = lack_of_room(self._directory, self._settings.reserve)
        return self._stuck or self._short

    def _transact(self, operations: list[Operation]) -> tuple[Effect, list[Answer]]:
        try:
            store = self._ready()
            effect, failures = self._express(store, operations) or self._at_length(store, operations)
        except sqlite3.Error as error:
            failure = from_sqlite(error, "commit to the spool", self._directory)
            self._fail(failure)
            raise failure from error
        self._recovered()
        self._log_pages += _estimate(operations)
        return effect, [(one, failures.get(index)) for index, one in enumerate(operations)]

    def _express(self, store: Store, operations: list[Operation]) -> tuple[Effect, dict[int, SpoolError]] | None:
        """Commit in one step; None when the batch has other operations, or one that is at fault."""
        rows = [one.row for one in operations if type(one) is Accept]
        gone = [one.id for one in operations if type(one) is Remove]
        if len(rows) + len(gone) != len(operations):
            return None
        try:
            changes, files = store.express(rows, gone)
        except (*OWN_FAULTS, sqlite3.DatabaseError) as error:
            if not (isinstance(error, OWN_FAULTS) or is_unreadable(error)):
                raise
            return None
        return Effect(changes, files), {}

    def _at_length(self, store: Store, operations: list[Operation]) -> tuple[Effect, dict[int, SpoolError]]:
        store.forget()
        store.execute("BEGIN IMMEDIATE")
        effect, failures = self._apply(store, operations)
        store.execute("COMMIT")
        return effect, failures

    def _apply(self, store: Store, operations: list[Operation]) -> tuple[Effect, dict[int, SpoolError]]:
        try:
            return apply_together(store, operations), {}
        except (*OWN_FAULTS, sqlite3.DatabaseError) as error:
            if not store.in_transaction or not (isinstance(error, OWN_FAULTS) or is_unreadable(error)):
                raise
            store.execute("ROLLBACK")
        store.execute("BEGIN IMMEDIATE")
        return apply_apart(store, operations, self._directory)

    def _ready(self) -> Store:
        if self._store is None:
            store = self._reopen()
            try:
                if not store.empty_log():
                    raise sqlite3.OperationalError("a reader keeps the log from being carried over")
            except sqlite3.Error:
                store.close()
                raise
            self._store = store
        return self._store

    def _fail(self, error: SpoolError) -> None:
        if not self._failing:
            self._failing = True
            self._log.event("spool-failing", level="error", reason=str(error), full=error.full)
        if self._store is None:
            return
        if error.full:
            with suppress(sqlite3.Error):
                self._roll_back(self._store)
                return
        self.abandon()

    def _recovered(self) -> None:
        if self._failing and not self._stuck:
            self._failing = False
            self._log.event("spool-recovered")

    def abandon(self) -> None:
        """Give the connection up, after making the last batch unfindable. The next operation opens a new one."""
        store, self._store = self._store, None
        if store is None:
            return
        with suppress(sqlite3.Error):
            self._roll_back(store)
            self._bury(store)
        with suppress(sqlite3.Error):
            store.close()

    @staticmethod
    def _roll_back(store: Store) -> None:
        if store.in_transaction:
            store.execute("ROLLBACK")

    @staticmethod
    def _bury(store: Store) -> None:
        """Write over the frames of a commit that failed; whether this one's sync succeeds is all the same."""
        store.execute("BEGIN IMMEDIATE")
        store.pulse()
        store.execute("COMMIT")

    def tidy(self, idle: bool) -> None:
        """Keep log and database from growing: a checkpoint when the log is long, free pages back when there is time.

        It comes after the answers. When it fails the mail is safe in the log, but nothing is accepted until the log
        could be carried over: by this connection when there is no room, else by a new one.
        """
        if self._store is None:
            return
        try:
            # What could not be carried over may be a short log, when it was to be emptied for want of room.
            if self._stuck or self._log_pages >= self._settings.log_pages:
                if idle:
                    self._store.give_back(self._settings.slack_pages, _VACUUM_PAGES)
                self._store.checkpoint()
                self._log_pages, self._stuck = 0, None
            if self._short and self._store.give_back(0, _VACUUM_PAGES):
                self._store.empty_log()
        except sqlite3.Error as error:
            failure = from_sqlite(error, "carry the log over into the database", self._directory)
            self._stuck = failure if failure.full else None
            self._fail(failure)

    def close(self) -> None:
        """Close the connection; SQLite carries the log over. A failure leaves the log for the next start."""
        if self._store:
            with suppress(sqlite3.Error):
                self._store.close()
            self._store = None


def _estimate(operations: list[Operation]) -> int:
    """Pages that a batch adds to the log, about: SQLite tells only in the moment of a checkpoint."""
    pages = 6
    for one in operations:
        if type(one) is Accept:
            pages += 2 + (len(one.row.head) + len(one.row.body or b"")) // _PAGE
        elif type(one) is not Remove:
            pages += 1
    return pages
