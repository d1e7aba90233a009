"""One transaction's worth of operations: applied together, and one by one when one of them is at fault.

`writer` opens and commits the transaction around it. Within a batch all accepts come first, then updates, removals and
the rest: for one message this is the order in which they were asked, and different messages do not touch.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from mailhaul_relay.spool.failures import from_sqlite, is_unreadable
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.operations import Accept, Effect, Operation, Remove, Update, Work
from mailhaul_relay.spool.store import Store

OWN_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,
    TypeError,
    OverflowError,
)
"""Failures of one operation's values, which say nothing of the disk. (UnicodeEncodeError is a ValueError.)"""


def apply_together(store: Store, operations: Sequence[Operation]) -> Effect:
    """Apply all in the open transaction. Raises what SQLite raises, and OWN_FAULTS."""
    effect = Effect()
    rows = [one.row for one in operations if type(one) is Accept]
    if rows:
        effect.changes += store.insert(rows)
    fates = [one.fate for one in operations if type(one) is Update]
    if fates:
        effect.changes += store.update(fates)
    ids = [one.id for one in operations if type(one) is Remove]
    if ids:
        changes, files = store.delete(ids)
        effect.changes += changes
        effect.files += files
    for one in operations:
        if type(one) is Work:
            done = one.run(store)
            one.result = done.result
            effect.add(done)
    return effect


def apply_apart(store: Store, operations: Sequence[Operation], directory: Path) -> tuple[Effect, dict[int, SpoolError]]:
    """Apply each by itself; those that fail alone are given by index, with the reason. Raises sqlite3.Error when the
    whole transaction is lost.
    """
    effect = Effect()
    failures: dict[int, SpoolError] = {}
    for index, one in enumerate(operations):
        store.execute("SAVEPOINT one")
        try:
            effect.add(apply_together(store, [one]))
        except (*OWN_FAULTS, sqlite3.DatabaseError) as error:
            if not store.in_transaction or not (isinstance(error, OWN_FAULTS) or is_unreadable(error)):
                raise
            store.execute("ROLLBACK TO one")
            failures[index] = from_sqlite(error, f"store this {type(one).__name__.lower()}", directory)
        store.execute("RELEASE one")
    return effect, failures
