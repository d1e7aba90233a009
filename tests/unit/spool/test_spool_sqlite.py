"""Rules of the SQLite spool on a real directory: one owner, group commit, body files, bounded growth."""

import asyncio
import gc
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.spool.making import NOW, SMALL, Lines, at, content, message, opened, received

from mailhaul_relay.model.message import Body, Progress, State
from mailhaul_relay.spool.bodies import BodyStore
from mailhaul_relay.spool.census import Census, Change
from mailhaul_relay.spool.interface import Counts, Narrowed, SpoolError
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.spool.store import Store


def body_files(spool: Path) -> list[Path]:
    return sorted((spool / "bodies").iterdir())


def database_bytes(spool: Path) -> int:
    return sum(path.stat().st_size for path in spool.glob("spool.db*"))


async def test_a_directory_has_one_owner_and_the_refusal_names_it(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(SpoolError, match=r"in use by process \d+ .*stop that relay first"):
            await SqliteSpool.open(tmp_path, Lines().log)
    async with opened(tmp_path) as spool:
        await spool.check()


async def test_only_the_owner_can_read_the_directory(tmp_path: Path) -> None:
    async with opened(tmp_path / "deep" / "spool") as spool:
        await spool.accept(message("a", body=received(spool, b"x" * 2000)))
        found = [tmp_path / "deep" / "spool", *(tmp_path / "deep" / "spool").rglob("*")]
        modes = {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()}
        assert modes == {0o700}
        assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}


async def test_what_waits_is_committed_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        before = database_bytes(tmp_path)
        await asyncio.gather(*(spool.accept(message(f"m{i:03}")) for i in range(400)))
        assert spool.counts().queued == 400
        assert database_bytes(tmp_path) - before < 400 * 4096


async def test_one_bad_record_fails_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.accept(message("twice"))
        results = await asyncio.gather(
            spool.accept(message("a")),
            spool.accept(message("twice")),
            spool.accept(message("lone\ud800")),
            spool.accept(message("infinite", at(State.HELD, float("nan")))),
            spool.accept(message("b")),
            spool.remove("twice"),
            return_exceptions=True,
        )
        assert [type(one) for one in results] == [
            type(None),
            SpoolError,
            SpoolError,
            SpoolError,
            type(None),
            type(None),
        ]
        assert {one.id for one in await spool.due(NOW, 10, frozenset())} == {"a", "b"}
        assert spool.counts().queued == 2


async def test_a_large_body_is_a_file_until_its_message_is_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.accept(message("a", body=received(spool, b"x" * 2000)))
        (file,) = body_files(tmp_path)
        assert file.read_bytes() == b"x" * 2000
        await spool.remove("a")
    assert body_files(tmp_path) == []


async def test_a_refused_body_file_is_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.accept(message("a"))
        with pytest.raises(SpoolError):
            await spool.accept(message("a", body=received(spool, b"x" * 2000)))
        assert body_files(tmp_path) == []


async def test_a_discarded_body_leaves_no_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        unfinished, finished = spool.new_body(), spool.new_body()
        unfinished.write(b"x" * 2000)
        finished.write(b"x" * 2000)
        finished.finish()
        assert len(body_files(tmp_path)) == 2
        unfinished.discard()
        finished.discard()
        finished.discard()
        assert body_files(tmp_path) == []


async def test_a_body_file_is_used_once_and_only_by_its_own_spool(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        body = received(spool, b"x" * 2000)
        await spool.accept(message("a", body=body))
        for stolen in (body, Body(4, path=tmp_path / "spool.db")):
            with pytest.raises(SpoolError, match="was not written by this spool or was already used"):
                await spool.accept(message("b", body=stolen))
        loaded = await spool.load("a")
        assert loaded is not None
        assert content(loaded.body) == b"x" * 2000


async def test_bodies_that_wait_for_a_slow_disk_share_their_memory_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        writers, stored = [], []
        for number in range(20):
            writers.append(spool.new_body())
            writers[-1].write(b"x" * 900)
            stored.append(spool.accept(message(f"m{number}", body=writers[-1].finish())))
        assert len(body_files(tmp_path)) >= 20 - SMALL.body_memory // 900
        await asyncio.gather(*stored)
        for writer in writers:
            writer.discard()
        assert received(spool, b"x" * 900).path is None


def test_bodies_that_come_in_share_their_memory(tmp_path: Path) -> None:
    store = BodyStore(tmp_path, SMALL)
    writers = [store.new_body() for _ in range(6)]
    for writer in writers:
        writer.write(b"x" * 900)
    assert store.in_memory <= SMALL.body_memory
    assert len(list(tmp_path.iterdir())) == 2
    for writer in writers:
        writer.discard()
    assert store.in_memory == 0
    assert list(tmp_path.iterdir()) == []


async def test_below_the_reserve_nothing_is_accepted(tmp_path: Path) -> None:
    greedy = Settings(body_in_file=1000, reserve=1 << 60)
    async with opened(tmp_path, greedy) as spool:
        with pytest.raises(SpoolError, match="enlarge the volume") as refused:
            await spool.accept(message("a"))
        assert refused.value.full
        with pytest.raises(SpoolError, match="enlarge the volume") as refused:
            spool.new_body().write(b"x" * 2000)
        assert refused.value.full
        await spool.remove("a")
        await spool.check()


async def test_a_strangers_lock_refuses_and_passes_by_itself(tmp_path: Path) -> None:
    lines = Lines()
    async with opened(tmp_path, Settings(busy=0.05, reserve=0), lines) as spool:
        stranger = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
        stranger.execute("BEGIN IMMEDIATE")
        for name in ("a", "b"):
            with pytest.raises(SpoolError, match="database is locked") as refused:
                await spool.accept(message(name))
            assert not refused.value.full
        stranger.execute("ROLLBACK")
        stranger.close()
        await spool.accept(message("a"))
        assert (lines.count("spool-failing"), lines.count("spool-recovered")) == (1, 1)


async def test_log_and_database_do_not_grow_with_traffic(tmp_path: Path) -> None:
    async with opened(tmp_path, Settings(log_pages=50, reserve=0)) as spool:
        for i in range(60):
            names = [f"m{i:03}.{j}" for j in range(10)]
            await asyncio.gather(*(spool.accept(message(name, body=b"x" * 8000)) for name in names))
            await asyncio.gather(*(spool.remove(name) for name in names))
        assert database_bytes(tmp_path) < 2_000_000


async def test_nothing_is_accepted_while_the_log_finds_no_room_in_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Store) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    async with opened(tmp_path, Settings(log_pages=1, reserve=0)) as spool:
        with monkeypatch.context() as patched:
            patched.setattr(Store, "checkpoint", full)
            await spool.accept(message("safe in the log"))
            with pytest.raises(SpoolError, match="cannot carry the log over") as refused:
                await spool.accept(message("refused"))
            assert refused.value.full
            await spool.remove("safe in the log")
        await spool.accept(message("after"))
        assert [one.id for one in await spool.due(NOW, 10, frozenset())] == ["after"]


async def test_a_backlog_that_is_gone_gives_its_space_back(tmp_path: Path) -> None:
    async with opened(tmp_path, Settings(log_pages=50, slack_pages=50, reserve=0)) as spool:
        names = [f"m{i:03}" for i in range(300)]
        await asyncio.gather(*(spool.accept(message(name, body=b"x" * 20_000)) for name in names))
        await asyncio.gather(*(spool.remove(name) for name in names))
        for i in range(200):
            await spool.accept(message(f"n{i:03}", body=b"x" * 20_000))
            await spool.remove(f"n{i:03}")
    assert database_bytes(tmp_path) < 1_500_000


async def test_closing_finishes_what_was_asked(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        bodies = [received(spool, b"x" * (1 + 400 * i)) for i in range(8)]
        asked = [spool.accept(message(f"m{i}", body=body)) for i, body in enumerate(bodies)]
        await spool.close()
        await asyncio.gather(*asked)
    async with opened(tmp_path) as spool:
        assert spool.counts().queued == 8


async def test_a_closed_spool_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.close()
        for asked in (spool.accept(message("a")), spool.update(message("a")), spool.remove("a"), spool.check()):
            with pytest.raises(SpoolError, match="closed"):
                await asked
        with pytest.raises(SpoolError, match="closed"):
            await spool.load("a")


async def test_an_answer_that_nobody_waits_for_is_dropped(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        spool.accept(message("a")).cancel()
        await spool.accept(message("b"))
        assert spool.counts().queued == 2
    gc.collect()


async def test_only_json_is_remembered(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for value in (float("nan"), object()):
            with pytest.raises(SpoolError, match="'breaker' is not JSON"):
                await spool.remember("breaker", {"value": value})
        assert await spool.remembered() == {}


async def test_a_delivered_recipient_counts_for_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await spool.accept(message("a", at(State.DEAD), at(State.DELIVERED)))
        await spool.accept(message("b", at(State.DELIVERED)))
        assert spool.counts() == Counts(dead=1)


def test_the_census_forgets_the_seconds_that_passed() -> None:
    census = Census()
    census.apply([Change(0, 1, NOW)])
    for i in range(5000):
        census.apply([Change(0, 1, NOW + i % 100 + 0.5)])
        census.apply([Change(1, 0, NOW + i % 100 + 0.5)])
    assert census.counts == Counts(queued=1, oldest=NOW)
    assert len(census._order) < 200


async def test_a_thousand_recipients_are_stored(tmp_path: Path) -> None:
    many = message("a", *(Progress(State.DEFERRED, NOW + i, text="x" * 500) for i in range(1000)))
    async with opened(tmp_path) as spool:
        await spool.accept(many)
        assert await spool.load("a") == many


async def test_the_oldest_pages_of_a_shelf_make_room_and_no_other_shelf_pays(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as spool:
        await spool.keep_page("quiet", 1, ["q"], b"q" * 5000, 10_000)
        for number in range(1, 8):
            await spool.keep_page("busy", number, [f"m{number}"], b"x" * 3000, 10_000)
        kept = [number for number in range(1, 8) if await spool.pages_about(f"m{number}")]
        assert kept == [5, 6, 7]
        assert await spool.pages_about("q")
    async with opened(tmp_path / "spool") as again:
        assert await again.last_page("busy") == 7


async def test_words_narrow_a_list_in_the_store_whatever_their_case_in_the_address(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as spool:
        given = message("a")
        shop = replace(
            given.envelope, id="b", sender='"odd \\"name"@Shop.example', recipients=given.envelope.recipients
        )
        await spool.accept(given)
        await spool.accept(replace(given, envelope=shop))
        found = await spool.list([State.QUEUED], "", 9, Narrowed(("@shop.example", "to0@")))
        assert [one.envelope.id for one in found] == ["b"]


async def test_a_history_whose_file_cannot_be_opened_is_a_spool_error_and_no_mail_is_touched(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        (tmp_path / "history.db").mkdir()
        with pytest.raises(SpoolError, match="cannot keep the history of messages"):
            await spool.keep_page("one", 1, ["a"], b"page", 100_000)
        with pytest.raises(SpoolError, match="cannot keep the history of messages"):
            await spool.pages_about("a")
        await spool.accept(message("a"))


async def test_a_damaged_history_is_begun_anew_and_no_mail_is_touched(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as spool:
        await spool.accept(message("a"))
        await spool.keep_page("one", 1, ["a"], b"x" * 9000, 100_000)
    (tmp_path / "spool" / "history.db").write_bytes(b"no database" * 4000)
    async with opened(tmp_path / "spool") as spool:
        with pytest.raises(SpoolError):
            await spool.pages_about("a")
        assert await spool.pages_about("a") == []
        await spool.keep_page("one", 1, ["a"], b"anew", 100_000)
        assert await spool.pages_about("a") == [b"anew"]
        assert await spool.load("a") is not None
    assert stat.S_IMODE((tmp_path / "spool" / "history.db").stat().st_mode) == 0o600


async def test_history_leaves_the_room_to_mail(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool", settings=replace(SMALL, reserve=1 << 60)) as spool:
        with pytest.raises(SpoolError) as refused:
            await spool.keep_page("one", 1, ["a"], b"x", 1000)
        assert refused.value.full
