"""The ways out: who may try an upstream that failed, what a reload changes, what a restart remembers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.queueing import (
    DELIVERED,
    LOST_AFTER_DOT,
    REFUSED_CONNECTION,
    REFUSED_FROM,
    WRONG_PASSWORD,
    Desk,
    mail,
    running,
    upstream,
)

from mailhaul_contract.report import BreakerState
from mailhaul_relay.model.message import State
from mailhaul_relay.model.secrets import Certificate, Credential, Secrets
from mailhaul_relay.queue.memory import Memory
from mailhaul_relay.queue.pace import Pace
from mailhaul_relay.queue.ways import Ways

OLD = Secrets(revision="r1", credentials={"a": Credential("u", "old")})
NEW = Secrets(revision="r2", credentials={"a": Credential("u", "new")})
ONLY_A: dict[str, Any] = {"upstreams": [upstream("a", auth="Plain")]}


async def test_a_refused_password_is_not_tried_by_the_next_message() -> None:
    desk = Desk(**ONLY_A)
    desk.script("a", (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    kept = await desk.send(mail("m2"))
    assert len(desk.transport("a").taken) == 1
    assert kept is not None
    assert kept.progress[0].state is State.HELD


@pytest.mark.looptime
async def test_a_changed_secret_is_tried_at_once_and_held_mail_leaves() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (WRONG_PASSWORD,))
    async with desk.scanning():
        await desk.send(mail("m1"))
        await asyncio.sleep(20)
        assert len(desk.transport("a").taken) == 1
        assert desk.reconfigure(secrets=NEW, **ONLY_A)
        desk.waker.wake()
        await asyncio.sleep(0.2)
    assert desk.spool.messages == {}


async def test_mail_that_was_in_work_when_a_refused_from_was_mended_is_sent_as_mended() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1})])
    go = asyncio.Event()

    async def refuse_late() -> tuple[object, ...]:
        await go.wait()
        return (REFUSED_FROM,)

    desk.script("a", refuse_late)
    for name in ("under-way", "in-line"):
        await desk.queue.accept(mail(name))
    await asyncio.sleep(0.01)
    verified = {"domains": ["verified.example"], "rewrite_from": "app@verified.example"}
    assert desk.reconfigure(upstreams=[upstream("a", connections={"max": 1}, senders=verified)])
    go.set()
    for name in ("under-way", "in-line"):
        await desk.settled(name)
    assert desk.spool.messages == {}
    assert [one.from_domain for one in desk.transport("a").taken] == ["verified.example"] * 2


async def test_an_unchanged_upstream_keeps_its_connections_and_breaker_over_a_reload() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    before = desk.transport("a")
    assert not desk.reconfigure(OLD, **ONLY_A, limits={"recipients": 7})
    assert desk.transport("a") is before
    assert desk.ways.states()[0].breaker is BreakerState.OPEN


async def test_a_message_taken_is_no_proof_of_settings_that_came_later() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    go = asyncio.Event()

    async def take_late() -> tuple[object, ...]:
        await go.wait()
        return (DELIVERED,)

    desk.script("a", take_late)
    await desk.queue.accept(mail("m1"))
    await asyncio.sleep(0.01)
    assert desk.reconfigure(secrets=NEW, **ONLY_A)
    go.set()
    await desk.settled("m1")
    assert desk.ways.states()[0].last_accepted == 0
    await desk.send(mail("m2"))
    assert desk.ways.states()[0].last_accepted == desk.clock()


async def test_a_removed_upstream_is_closed_once_it_is_idle() -> None:
    desk = Desk()
    removed = desk.transport("b")
    desk.reconfigure(**ONLY_A)
    for _ in range(5):
        await asyncio.sleep(0)
    assert removed.closed


async def test_one_message_at_a_time_tries_an_upstream_whose_breaker_is_open() -> None:
    desk = Desk(**ONLY_A)
    desk.script("a", (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    desk.clock.advance(301)
    go = asyncio.Event()

    async def when_told() -> tuple[object, ...]:
        await go.wait()
        return (WRONG_PASSWORD,)

    desk.script("a", when_told)
    await desk.queue.accept(mail("m2"))
    await asyncio.sleep(0.01)
    await desk.send(mail("m3"))
    assert [one.id for one in desk.transport("a").taken] == ["m1", "m2"]
    go.set()
    await desk.settled("m2")


async def test_an_upstream_that_takes_mail_again_wakes_what_waits_for_it() -> None:
    desk = Desk(**ONLY_A)
    desk.script("a", (REFUSED_CONNECTION,))
    await desk.send(mail("m1"))
    desk.clock.advance(20)
    assert await desk.send(mail("m2")) is None
    await asyncio.sleep(0.01)
    assert desk.spool.messages["m1"].due <= desk.clock()


async def test_a_restart_is_no_reason_to_try_a_refused_password_again() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    await desk.memory.flush()
    assert (await _restarted(desk, OLD)).states()[0].breaker is BreakerState.OPEN


async def test_after_a_restart_another_revision_of_the_secrets_is_tried_at_once() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    await desk.memory.flush()
    assert (await _restarted(desk, NEW)).states()[0].breaker is BreakerState.CLOSED


async def test_a_refused_from_is_told_after_a_restart_and_mail_tries_it_at_once() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (REFUSED_FROM,))
    await desk.send(mail("m1"))
    before = desk.ways.states()[0].refused_sender_replies
    await desk.memory.flush()
    ways = await _restarted(desk, OLD)
    state = ways.states()[0]
    assert state.refused_senders == {"example.com"}
    assert state.refused_sender_replies == before
    assert [one.text for one in before.values()] == ["From not verified"]
    assert ways.views(frozenset())["a"].refused_senders == frozenset()


async def test_after_a_restart_a_from_that_was_taken_since_is_not_told() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (REFUSED_FROM,))
    await desk.send(mail("m1"))
    desk.clock.advance(301)
    assert await desk.again("m1") is None
    await desk.memory.flush()
    assert (await _restarted(desk, OLD)).states()[0].refused_senders == frozenset()


@pytest.mark.parametrize(
    ("secrets", "changed"),
    [(NEW, {}), (OLD, {"senders": {"domains": ["verified.example"], "rewrite_from": "app@verified.example"}})],
    ids=["credential", "settings"],
)
async def test_after_a_restart_what_was_refused_with_other_settings_is_not_told(
    secrets: Secrets, changed: dict[str, Any]
) -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (REFUSED_FROM,))
    await desk.send(mail("m1"))
    await desk.memory.flush()
    ways = await _restarted(desk, secrets, upstreams=[upstream("a", auth="Plain", **changed)])
    assert ways.states()[0].refused_senders == frozenset()


@pytest.mark.looptime
async def test_many_refused_froms_are_one_write_a_second() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    written: list[str] = []
    remember = desk.spool.remember

    async def noted(key: str, value: Mapping[str, Any]) -> None:
        written.append(key)
        await remember(key, value)

    desk.spool.remember = noted  # type: ignore[method-assign]
    desk.script("a", *[(REFUSED_FROM,)] * 20)
    for number in range(20):
        await desk.send(mail(f"m{number}", sender=f"app@d{number}.example"))
    await asyncio.sleep(5)
    assert written.count("refusals/a") == 1


async def test_no_more_transmissions_at_once_than_the_upstream_allows() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 2})])
    at_once, most = 0, 0

    async def slow() -> tuple[object, ...]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return (DELIVERED,)

    desk.script("a", *[slow] * 6)
    for number in range(6):
        await desk.queue.accept(mail(f"m{number}"))
    for number in range(6):
        await desk.settled(f"m{number}")
    assert most == 2


@pytest.mark.looptime
async def test_a_rate_limit_spreads_transactions() -> None:
    pace = Pace(running(upstreams=[upstream("a", rate_limit={"messages": 2, "per": 1})]).candidates[0].rate_limit)
    loop = asyncio.get_running_loop()
    turns = []
    for _ in range(5):
        await pace.turn()
        turns.append(round(loop.time(), 2))
    assert [turn - turns[0] for turn in turns] == pytest.approx([0, 0, 1, 1, 2], abs=0.01)


@pytest.mark.looptime
async def test_a_stop_waits_for_nobody_who_waits_for_a_turn() -> None:
    desk = Desk(upstreams=[upstream("a", rate_limit={"messages": 1, "per": 86400})])
    await desk.send(mail("m1"))
    await desk.queue.accept(mail("m2"))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await desk.queue.stop(10)
    assert loop.time() - before < 1
    assert desk.spool.messages["m2"].progress[0].attempts == 0


@pytest.mark.looptime
async def test_a_stop_cuts_off_a_dead_upstream_when_its_grace_is_over() -> None:
    desk = Desk(**ONLY_A)

    async def hang() -> tuple[object, ...]:
        await asyncio.sleep(3600)
        return (DELIVERED,)

    desk.script("a", hang)
    await desk.queue.accept(mail("m1"))
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await desk.queue.stop(5)
    assert loop.time() - before < 8
    assert desk.spool.messages["m1"].progress[0].attempts == 0
    assert not desk.queue.active


async def test_a_stop_stores_what_is_unknown_at_its_end() -> None:
    desk = Desk(**ONLY_A)

    async def past_the_dot() -> tuple[object, ...]:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return (LOST_AFTER_DOT,)
        return (DELIVERED,)

    desk.script("a", past_the_dot)
    await desk.queue.accept(mail("m1"))
    await asyncio.sleep(0.01)
    await desk.queue.stop(0.01)
    assert desk.spool.messages["m1"].progress[0].unknowns == 1


async def _restarted(desk: Desk, secrets: Secrets, **changed: Any) -> Ways:  # noqa: ANN401 - fields of RelayConfig
    """The ways of a new process over the same spool."""
    memory = Memory(desk.spool, desk.log)
    await memory.restore()
    ways = Ways(memory, desk._transport, desk.log, desk.clock, lambda: 0.0)
    ways.apply(running(secrets=secrets, **{**ONLY_A, **changed}))
    return ways


async def test_words_of_a_refused_from_and_of_a_breaker_stay_while_other_mail_is_delivered() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    desk.script("a", (REFUSED_FROM,), (DELIVERED,), (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    refused = desk.ways.states()[0].refused_sender_replies
    assert [one.text for one in refused.values()] == ["From not verified"]
    await desk.send(mail("m2", sender="app@other.example"))
    assert desk.ways.states()[0].refused_sender_replies == refused
    await desk.send(mail("m3", sender="app@other.example"))
    assert desk.ways.states()[0].fault_text == "535 5.7.8 bad password"


async def test_an_upstream_tells_since_when_its_settings_are_in_use() -> None:
    desk = Desk(secrets=OLD, **ONLY_A)
    opened = desk.ways.states()[0].opened
    desk.clock.advance(60)
    desk.reconfigure(OLD, **ONLY_A, limits={"recipients": 7})
    assert desk.ways.states()[0].opened == opened
    desk.reconfigure(secrets=NEW, **ONLY_A)
    assert desk.ways.states()[0].opened == opened + 60


async def test_a_renewed_client_certificate_opens_another_pool_and_leaves_the_others_alone() -> None:
    shows = upstream("a", tls={"mode": "StartTLS", "client_certificate": True})
    both: dict[str, Any] = {"upstreams": [shows, upstream("b")]}
    first = Secrets(revision="r1", identities={"a": Certificate(b"first", b"key"), "b": Certificate(b"not", b"shown")})
    second = Secrets(revision="r2", identities={"a": Certificate(b"second", b"key"), "b": Certificate(b"at", b"all")})
    desk = Desk(secrets=first, **both)
    before = desk.transport("a"), desk.transport("b")
    desk.reconfigure(secrets=second, **both)
    assert desk.transport("a") is not before[0]
    assert desk.transport("b") is before[1]
    now = [desk.ways.way(name) for name in ("a", "b")]
    assert [way and way.logins.access.identity for way in now] == [Certificate(b"second", b"key"), None]
