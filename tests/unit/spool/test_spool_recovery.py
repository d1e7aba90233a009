"""Start: what is damaged is set aside with its bytes and counted, the rest is there, and nothing is fatal."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.spool.making import NOW, Lines, at, message, opened, received

from mailhaul_relay.model.message import State
from mailhaul_relay.spool.census import Change
from mailhaul_relay.spool.database import FILE
from mailhaul_relay.spool.interface import LastTurns, Place, SpoolError
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.spool.store import Store

PAGE = 4096
WIDE = Settings(body_in_file=100_000, reserve=0)
LARGE = b"large" * 1000


async def fill(directory: Path) -> None:
    """Store a small message `a`, a large one `b` and a deferred one `c`."""
    async with opened(directory) as spool:
        await spool.accept(message("a", accepted=NOW - 7))
        await spool.accept(message("b", body=received(spool, LARGE)))
        await spool.accept(message("c", at(State.DEFERRED, NOW + 10)))


def change(directory: Path, statement: str) -> None:
    """Change the database behind the spool's back."""
    connection = sqlite3.connect(directory / FILE)
    connection.execute(statement)
    connection.commit()
    connection.close()


def quarantined(directory: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(directory / FILE)
    found = connection.execute("SELECT id, reason FROM quarantine ORDER BY number").fetchall()
    connection.close()
    return found


def _file(directory: Path) -> Path:
    (file,) = (directory / "bodies").iterdir()
    return file


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "envelope": (
        "a",
        lambda at_: change(at_, "UPDATE message SET envelope='[1,' WHERE id='a'"),
        "the envelope is not JSON",
    ),
    "progress": (
        "a",
        lambda at_: change(at_, "UPDATE message SET progress='' WHERE id='a'"),
        "the progress is not JSON",
    ),
    "envelope version": (
        "a",
        lambda at_: change(at_, "UPDATE message SET envelope='[2,\"\"]' WHERE id='a'"),
        "the envelope has an unknown version",
    ),
    "progress version": (
        "a",
        lambda at_: change(at_, "UPDATE message SET progress='{}' WHERE id='a'"),
        "the progress has an unknown version",
    ),
    "file missing": ("b", lambda at_: _file(at_).unlink(), "its body file is missing"),
    "file cut": ("b", lambda at_: _file(at_).write_bytes(b"larg"), "its body file has 4 bytes, expected 5000"),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
async def test_a_damaged_record_is_set_aside_at_start(tmp_path: Path, damage: str) -> None:
    name, do, reason = DAMAGES[damage]
    await fill(tmp_path)
    do(tmp_path)
    lines = Lines()
    async with opened(tmp_path, lines=lines) as spool:
        counts = spool.counts()
        assert (counts.quarantined, counts.queued + counts.deferred) == (1, 2)
        assert await spool.load(name) is None
        assert lines.count("spool-record-quarantined") == 1
    assert quarantined(tmp_path) == [(name, reason)]
    async with opened(tmp_path) as spool:
        assert spool.counts().quarantined == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE message SET envelope='[1,true]' WHERE id='a'",
        "UPDATE message SET progress='[1]' WHERE id='a'",
        "UPDATE message SET progress='[1,[7]]' WHERE id='a'",
        "DELETE FROM content WHERE key=(SELECT key FROM message WHERE id='a')",
        "UPDATE content SET body=x'00' WHERE key=(SELECT key FROM message WHERE id='a')",
        "UPDATE content SET body=NULL WHERE key=(SELECT key FROM message WHERE id='a')",
    ],
)
async def test_a_damaged_record_found_later_is_left_out_and_set_aside(tmp_path: Path, statement: str) -> None:
    await fill(tmp_path)
    change(tmp_path, statement)
    async with opened(tmp_path) as spool:
        assert [one.id for one in await spool.due(NOW + 20, 10, frozenset())] == ["b", "c"]
        await spool.check()
        assert spool.counts().quarantined == 1
        assert spool.counts().queued == 1
        assert [one.envelope.id for one in await spool.list(State, "", 10)] == ["b", "c"]
    ((name, _),) = quarantined(tmp_path)
    assert name == "a"


def _spoil(directory: Path, content: bytes) -> None:
    """Make zeros of the first page of the database that is full of some content, as a bad disk does."""
    data = (directory / FILE).read_bytes()
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    pages[next(number for number, page in enumerate(pages) if content in page)] = bytes(PAGE)
    (directory / FILE).write_bytes(b"".join(pages))


async def _with_a_damaged_page(directory: Path) -> None:
    async with opened(directory, WIDE) as spool:
        for name in ("a", "b", "c", "d"):
            await spool.accept(message(name, body=name.encode() * 5 * PAGE))
        await spool.update(message("d", at(State.HELD, NOW + 9), body=b"d" * 5 * PAGE), Place("x primary", NOW + 9))
        await spool.update(message("b", at(State.HELD, NOW + 9), body=b"b" * 5 * PAGE), Place("x primary", NOW + 9))
    _spoil(directory, b"b" * (PAGE - 4))


async def test_a_damaged_page_keeps_nobody_waiting_but_the_mail_that_lies_in_it(tmp_path: Path) -> None:
    await _with_a_damaged_page(tmp_path)
    lines = Lines()
    async with opened(tmp_path, WIDE, lines) as spool:
        assert [one.id for one in await spool.due(NOW + 20, 10, frozenset())] == ["a", "c", "d"]
        await spool.check()
        assert [one.id for one in await spool.waiting("x primary", LastTurns(), 10, frozenset())] == ["d"]
        assert (spool.counts().quarantined, spool.counts().queued, spool.counts().held) == (1, 2, 1)
        await spool.accept(message("e"))
    assert lines.count("spool-record-quarantined") == 1
    assert quarantined(tmp_path) == [("b", "the database is damaged where it lies: database disk image is malformed")]
    async with opened(tmp_path, WIDE) as spool:
        assert spool.counts().quarantined == 1
        assert [one.id for one in await spool.due(NOW + 20, 10, frozenset())] == ["a", "c", "e", "d"]


async def test_a_damaged_record_that_cannot_be_set_aside_is_told_once_and_falls_due_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _with_a_damaged_page(tmp_path)
    lines = Lines()

    def refuse(*_: object, **__: object) -> list[Change]:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "set_aside", refuse)
    async with opened(tmp_path, WIDE, lines) as spool:
        for _ in range(3):
            assert [one.id for one in await spool.due(NOW + 20, 10, frozenset())] == ["a", "c", "d"]
            with contextlib.suppress(SpoolError):
                await spool.check()
        assert await spool.next_due(frozenset("acd")) is None
    assert (lines.count("store-refused"), lines.count("spool-record-quarantined")) == (1, 0)


async def test_what_is_removed_while_it_is_read_is_not_told_as_damaged(tmp_path: Path) -> None:
    lines = Lines()
    async with opened(tmp_path, lines=lines) as spool:
        await spool.accept(message("b", body=received(spool, LARGE)))
        _file(tmp_path).unlink()
        loading = asyncio.ensure_future(spool.load("b"))
        await spool.remove("b")
        assert await loading is None
        await spool.check()
        assert spool.counts().quarantined == 0
    assert lines.count("spool-record-quarantined") == 0


async def test_the_quarantine_keeps_the_bytes(tmp_path: Path) -> None:
    await fill(tmp_path)
    change(tmp_path, "UPDATE message SET envelope='?'")
    async with opened(tmp_path):
        pass
    async with opened(tmp_path) as spool:
        assert spool.counts().quarantined == 3
    connection = sqlite3.connect(tmp_path / FILE)
    kept = connection.execute("SELECT id, envelope, head, body, file FROM quarantine ORDER BY id").fetchall()
    connection.close()
    assert [(row[0], row[1], row[3]) for row in kept] == [
        ("a", "?", b"hello\r\n"),
        ("b", "?", None),
        ("c", "?", b"hello\r\n"),
    ]
    assert {row[2] for row in kept} == {b"Subject: test\r\n\r\n"}
    assert _file(tmp_path).name == kept[1][4]
    assert _file(tmp_path).read_bytes() == LARGE


@pytest.mark.parametrize("damage", [b"this is no database" * 500, b"SQLite format 3\0" + b"\xff" * 8000])
async def test_a_database_that_cannot_be_opened_is_moved_aside_whole(tmp_path: Path, damage: bytes) -> None:
    await fill(tmp_path)
    body = _file(tmp_path)
    (tmp_path / FILE).write_bytes(damage)
    lines = Lines()
    async with opened(tmp_path, lines=lines) as spool:
        assert spool.counts().quarantined == 1
        assert lines.count("spool-database-quarantined") == 1
        await spool.accept(message("new"))
    (aside,) = (tmp_path / "quarantine").iterdir()
    assert aside.name == "database-20231114T221320Z"
    assert (aside / FILE).read_bytes() == damage
    assert (aside / "bodies" / body.name).read_bytes() == LARGE


async def test_body_files_without_a_database_are_moved_aside(tmp_path: Path) -> None:
    await fill(tmp_path)
    body = _file(tmp_path)
    (tmp_path / FILE).unlink()
    async with opened(tmp_path) as spool:
        assert spool.counts().quarantined == 1
    (aside,) = (tmp_path / "quarantine").iterdir()
    assert (aside / "bodies" / body.name).read_bytes() == LARGE


async def test_a_log_without_its_database_is_moved_aside_for_the_newest_mail_may_be_only_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.accept(message("a"))
        log = (tmp_path / f"{FILE}-wal").read_bytes()
    (tmp_path / FILE).unlink()
    (tmp_path / f"{FILE}-wal").write_bytes(log)
    async with opened(tmp_path) as spool:
        assert spool.counts().quarantined == 1
        await spool.accept(message("new"))
    (aside,) = (tmp_path / "quarantine").iterdir()
    assert (aside / f"{FILE}-wal").read_bytes() == log


async def test_a_second_damaged_database_does_not_replace_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        async with opened(tmp_path):
            pass
        (tmp_path / FILE).write_bytes(b"no database at all" * 300)
    async with opened(tmp_path) as spool:
        assert spool.counts().quarantined == 2
    assert len(list((tmp_path / "quarantine").iterdir())) == 2


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    await fill(tmp_path)
    change(tmp_path, "PRAGMA user_version=3")
    with pytest.raises(SpoolError, match="has version 3, this relay reads 2: run the relay version that wrote it"):
        await SqliteSpool.open(tmp_path, Lines().log)
    change(tmp_path, "PRAGMA user_version=2")
    async with opened(tmp_path) as spool:
        assert spool.counts().queued == 2


async def test_a_directory_that_cannot_be_made_is_a_spool_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="cannot make the spool directory"):
        await SqliteSpool.open(tmp_path / "file" / "spool", Lines().log)


async def test_orphans_are_removed_at_start(tmp_path: Path) -> None:
    await fill(tmp_path)
    (tmp_path / "bodies" / "orphan").write_bytes(b"never committed")
    async with opened(tmp_path) as spool:
        assert (await spool.load("b")) is not None
    assert _file(tmp_path).name != "orphan"


async def test_states_are_counted_at_start(tmp_path: Path) -> None:
    await fill(tmp_path)
    async with opened(tmp_path) as spool:
        counts = spool.counts()
        assert (counts.queued, counts.deferred, counts.oldest) == (2, 1, NOW - 7)
        await spool.remove("a")
        assert spool.counts().oldest == NOW


async def test_what_was_remembered_but_is_damaged_is_left_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.remember("good", {"a": 1})
        await spool.remember("bad", {"b": 1})
    change(tmp_path, "UPDATE memory SET value='{' WHERE key='bad'")
    async with opened(tmp_path) as spool:
        assert await spool.remembered() == {"good": {"a": 1}}
