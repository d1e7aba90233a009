"""A log that could not be carried over for want of room: once there is room, the next message is taken."""

import sqlite3
from pathlib import Path

import pytest
from tests.unit.spool.making import SMALL, message, opened

from mailhaul_relay.spool import committer
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.store import Store


def _full() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


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
