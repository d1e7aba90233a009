"""The inbox keeps the newest mail durably and within its bounds."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from mailhaul_relay.smtpout.inbox import FILE, Captured, Inbox


def _captured(number: int) -> Captured:
    return Captured(
        0, f"id{number}", 1000.0 + number, "catch", "a@example.com", ("b@example.net",), f"mail {number}", 0
    )


async def _filled(inbox: Inbox, count: int, size: int = 10) -> None:
    for number in range(count):
        await inbox.store(_captured(number), lambda: b"x" * size)


async def test_mail_is_listed_newest_first_and_loaded_as_it_came(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    content = bytes(range(256))
    await inbox.store(_captured(1), lambda: b"first")
    await inbox.store(_captured(2), lambda: content)
    newest, oldest = await inbox.list()
    assert (newest.id, newest.subject, newest.size) == ("id2", "mail 2", 256)
    assert oldest.recipients == ("b@example.net",)
    loaded = await inbox.load(newest.key)
    assert loaded == (newest, content)
    await inbox.close()


async def test_what_cannot_be_stored_keeps_nothing_else_away(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    with pytest.raises(UnicodeEncodeError):
        await inbox.store(replace(_captured(1), sender="half a character \ud800"), lambda: b"x")
    await inbox.store(_captured(2), lambda: b"x")
    assert [one.id for one in await inbox.list()] == ["id2"]
    await inbox.close()


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


async def test_captured_mail_is_for_its_owner_alone(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await _filled(inbox, 1)
    assert _modes(tmp_path) == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    await inbox.close()


async def test_mail_survives_the_process(tmp_path: Path) -> None:
    first = Inbox(tmp_path)
    await first.store(_captured(1), lambda: b"kept")
    await first.close()
    second = Inbox(tmp_path)
    (kept,) = await second.list()
    assert kept.id == "id1"
    await second.close()


async def test_every_commit_is_synced(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await inbox.list()
    assert inbox._connection is not None
    assert inbox._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    await inbox.close()


async def test_only_the_newest_messages_stay(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, messages=3)
    await _filled(inbox, 10)
    assert [one.id for one in await inbox.list()] == ["id9", "id8", "id7"]
    await inbox.close()


async def test_only_so_many_bytes_stay(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, octets=1000)
    await _filled(inbox, 10, size=300)
    assert [one.id for one in await inbox.list()] == ["id9", "id8", "id7"]
    await inbox.close()


async def test_the_newest_stays_even_when_it_is_larger_than_the_bound(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, octets=1000)
    await _filled(inbox, 3)
    await inbox.store(_captured(99), lambda: b"x" * 5000)
    assert [one.id for one in await inbox.list()] == ["id99"]
    await inbox.close()


async def test_keys_are_never_used_again(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, messages=1)
    await _filled(inbox, 2)
    (second,) = await inbox.list()
    await _filled(inbox, 1)
    (third,) = await inbox.list()
    assert third.key > second.key
    assert await inbox.load(second.key) is None
    await inbox.close()


async def test_lists_go_page_by_page(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await _filled(inbox, 5)
    first = await inbox.list(limit=3)
    second = await inbox.list(limit=3, before=first[-1].key)
    assert [one.id for one in (*first, *second)] == ["id4", "id3", "id2", "id1", "id0"]
    await inbox.close()


async def test_there_is_no_file_until_it_is_used(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await inbox.close()
    assert not (tmp_path / FILE).exists()


async def test_a_body_that_cannot_be_read_stores_nothing(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)

    def gone() -> bytes:
        raise FileNotFoundError

    with pytest.raises(OSError):  # noqa: PT011 - any
        await inbox.store(_captured(1), gone)
    assert await inbox.list() == ()
    await inbox.close()


async def test_a_failing_file_is_an_error_and_recovers(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "missing")
    with pytest.raises((OSError, sqlite3.Error)):
        await inbox.store(_captured(1), lambda: b"x")
    (tmp_path / "missing").mkdir()
    await inbox.store(_captured(1), lambda: b"x")
    assert len(await inbox.list()) == 1
    await inbox.close()


async def test_what_fits_is_found_page_by_page_and_counted(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await _filled(inbox, 5)
    first = await inbox.find(lambda one: one.id != "id3", limit=2)
    assert [one.id for one in first.messages] == ["id4", "id2"]
    assert (first.has_more, first.matching, first.total, first.newest) == (True, 4, 5, 5)
    second = await inbox.find(lambda one: one.id != "id3", limit=2, before=first.messages[-1].key)
    assert [one.id for one in second.messages] == ["id1", "id0"]
    assert not second.has_more
    await inbox.close()


async def test_one_message_is_deleted_once(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await _filled(inbox, 2)
    assert await inbox.delete(1)
    assert not await inbox.delete(1)
    assert [one.id for one in await inbox.list()] == ["id1"]
    await inbox.close()


async def test_only_what_fits_and_is_not_newer_is_cleared(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    await _filled(inbox, 5)
    assert await inbox.clear(lambda one: one.id != "id1", up_to=4) == 3
    assert [one.id for one in await inbox.list()] == ["id4", "id1"]
    await inbox.close()


async def test_the_version_changes_with_what_is_there_and_from_life_to_life(tmp_path: Path) -> None:
    first = Inbox(tmp_path)
    seen = [first.version]
    await _filled(first, 1)
    seen.append(first.version)
    await first.list()
    assert first.version == seen[-1]
    await first.delete(1)
    seen.append(first.version)
    await first.close()
    seen.append(Inbox(tmp_path).version)
    assert len(set(seen)) == 4
