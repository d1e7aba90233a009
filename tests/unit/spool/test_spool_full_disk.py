"""A full disk: it is named as what it is, and once there is room the next message is taken."""

import sqlite3
from pathlib import Path

import pytest
from tests.unit.spool.making import SMALL, message, opened

from mailhaul_relay.spool import committer, failures
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.store import Store


def _full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE])
def test_a_full_disk_is_named_with_its_remedy_whatever_sqlite_calls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    monkeypatch.setattr(failures, "_free_bytes", lambda _: 0)
    found = failures.from_sqlite(error, "open the spool", tmp_path)
    assert found.full
    assert "free some, or enlarge the volume" in str(found)


async def test_mail_is_taken_again_at_once_when_a_full_disk_has_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SMALL) as spool:
        await spool.accept(message("a"))

        def give_back(store: Store, slack: int, pages: int) -> bool:
            raise _full()

        with monkeypatch.context() as full:
            full.setattr(committer, "lack_of_room", lambda *_: SpoolError("no room", full=True))
            full.setattr(Store, "give_back", give_back)
            with pytest.raises(SpoolError, match="no room"):
                await spool.accept(message("b"))
            with pytest.raises(SpoolError):
                await spool.accept(message("c"))
        await spool.accept(message("d"))
        assert await spool.load("d") is not None
