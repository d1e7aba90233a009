"""A whole batch of accepts and removals as one SQL statement: its transaction, its changes and its sync in one step.

`committer` takes this way for the batches of a busy relay. Each step of a statement gives up the interpreter's lock
and must win it back from the event loop, which costs a switch of threads each time: some twenty a batch when every
table has a statement of its own, and a sixth of the relay's CPU. The statement is an INSERT into a view that is not
there for anybody else; its trigger does the work (sqlite.org/lang_createtrigger.html, INSTEAD OF). It is atomic as any
statement is, and raises what the single statements raise.
"""

import json
import sqlite3
from collections.abc import Sequence

from mailhaul_relay.spool.rows import COLUMNS, Row

_COLUMNS = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(1, 8))
SETUP = f"""
PRAGMA temp_store=MEMORY;
CREATE TEMP VIEW batch AS SELECT NULL AS fields, NULL AS bytes, NULL AS gone;
CREATE TEMP TRIGGER batch_comes INSTEAD OF INSERT ON batch BEGIN
  INSERT INTO content
    SELECT json_extract(value, '$[8]'), substr(NEW.bytes, json_extract(value, '$[9]'), json_extract(value, '$[10]')),
      substr(NEW.bytes, json_extract(value, '$[11]'), json_extract(value, '$[12]'))
    FROM json_each(NEW.fields);
  INSERT INTO message ({COLUMNS})
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[8]'), {_COLUMNS} FROM json_each(NEW.fields);
  DELETE FROM content WHERE key IN
    (SELECT key FROM message WHERE id IN (SELECT value FROM json_each(NEW.gone)));
  DELETE FROM message WHERE id IN (SELECT value FROM json_each(NEW.gone));
END;
"""  # noqa: S608 - constants


def prepare(connection: sqlite3.Connection) -> None:
    """Make the view and its trigger for this connection."""
    connection.executescript(SETUP)


def run(connection: sqlite3.Connection, first_key: int, rows: Sequence[Row], gone: Sequence[str]) -> None:
    """Store rows, with keys from `first_key` on, and remove messages; all of it is durable afterwards, or nothing."""
    fields: list[list[object]] = []
    pieces: list[bytes] = []
    at = 1
    for key, row in enumerate(rows, first_key):
        body = row.body
        head_end = at + len(row.head)
        fields.append([*row[:8], key, at, len(row.head), head_end, None if body is None else len(body)])
        pieces.append(row.head)
        if body:
            pieces.append(body)
            head_end += len(body)
        at = head_end
    values = (json.dumps(fields), b"".join(pieces), json.dumps(gone))
    connection.execute("INSERT INTO batch VALUES (?, ?, ?)", values)
