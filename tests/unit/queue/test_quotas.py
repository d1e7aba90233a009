"""At a provider's quota mail goes elsewhere or waits, is never lost, and not one message too many is sent."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.queueing import DELIVERED, LOST_AFTER_DOT, NO_SUCH_USER, Desk, mail, running, upstream

from mailhaul_contract.report import BreakerState, QuotaReport
from mailhaul_relay.model.message import Message, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Credential, Secrets
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.memory import Memory
from mailhaul_relay.queue.ways import Ways

DAY = 86_400
MIDNIGHT = 1_700_006_400.0
"""The first midnight (UTC) after the desk's clock starts."""
QUOTA_SPENT = Outcome(Verdict.HOLD, Stage.MAIL, Fault.QUOTA, Reply(452, "4.5.3", "daily sending quota exceeded"))


def _limited(limit: int = 2, period: str = "Day", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
    """Upstream `a` with one quota; `on_quota`, `behavior` and `share` are the upstream's."""
    own = {key: fields.pop(key) for key in ("on_quota", "behavior", "share", "auth", "connections") if key in fields}
    return upstream("a", 0, quotas=[{"period": period, "limit": limit, **fields}], **own)


def _told(desk: Desk) -> QuotaReport:
    (found,) = desk.ways.states()[0].quotas
    return found


async def test_at_the_limit_mail_fails_over() -> None:
    desk = Desk(upstreams=[_limited(2), upstream("b", 10)])
    for number in range(5):
        assert await desk.send(mail(f"m{number}")) is None
    assert [len(desk.transport(one).taken) for one in ("a", "b")] == [2, 3]


async def test_at_the_limit_mail_is_held_where_that_was_chosen_and_leaves_after_the_reset() -> None:
    desk = Desk(upstreams=[_limited(1, on_quota="Hold"), upstream("b", 10)])
    await desk.send(mail("m1"))
    held = await desk.send(mail("m2"))
    assert held is not None
    progress = held.progress[0]
    assert (progress.state, progress.due, progress.fault) == (State.HELD, MIDNIGHT, "quota")
    assert progress.text == ("a: the 1 messages a day are used up; more at Wed, 15 Nov 2023 00:00:00 +0000")
    assert not desk.transport("b").taken
    desk.clock.now = MIDNIGHT
    assert await desk.again("m2") is None
    assert len(desk.transport("a").taken) == 2


async def test_without_another_upstream_mail_is_held_and_never_bounced_for_a_quota() -> None:
    desk = Desk(upstreams=[_limited(1, "Month")], bounces={"mode": "Send"})
    await desk.send(mail("m1"))
    for _ in range(4):
        kept = await (desk.again("m2") if "m2" in desk.spool.messages else desk.send(mail("m2")))
        assert kept is not None
        assert kept.progress[0].state is State.HELD
        desk.clock.advance(DAY)
    assert list(desk.spool.messages) == ["m2"]


async def test_transmissions_at_once_do_not_pass_the_limit() -> None:
    desk = Desk(upstreams=[_limited(3, connections={"max": 50}), upstream("b", 10)])
    go = asyncio.Event()

    async def slow() -> tuple[Outcome, ...]:
        await go.wait()
        return (DELIVERED,)

    desk.script("a", *[slow] * 20)
    for number in range(20):
        await desk.queue.accept(mail(f"m{number}"))
    await asyncio.sleep(0.01)
    assert len(desk.transport("a").taken) == 3
    go.set()
    for number in range(20):
        await desk.settled(f"m{number}")
    assert [len(desk.transport(one).taken) for one in ("a", "b")] == [3, 17]


async def test_what_the_provider_refused_is_given_back() -> None:
    desk = Desk(upstreams=[_limited(1)])
    desk.script("a", (NO_SUCH_USER,))
    await desk.send(mail("m1"))
    assert _told(desk).used == 0
    assert await desk.send(mail("m2")) is None


async def test_mail_that_waits_for_what_is_under_way_looks_again_soon() -> None:
    desk = Desk(upstreams=[_limited(1)])
    go = asyncio.Event()

    async def refuse_late() -> tuple[Outcome, ...]:
        await go.wait()
        return (NO_SUCH_USER,)

    desk.script("a", refuse_late)
    await desk.queue.accept(mail("m1"))
    await asyncio.sleep(0.01)
    waiting = await desk.send(mail("m2"))
    assert waiting is not None
    assert waiting.progress[0].due <= desk.clock() + 5
    go.set()
    await desk.settled("m1")
    desk.clock.advance(5)
    assert await desk.again("m2") is None


async def test_what_may_have_been_taken_counts() -> None:
    desk = Desk(upstreams=[_limited(5)])
    desk.script("a", (LOST_AFTER_DOT,))
    await desk.send(mail("m1"))
    assert _told(desk).used == 1


async def test_mail_that_only_one_upstream_may_send_waits_for_its_quota() -> None:
    desk = Desk(upstreams=[_limited(1), upstream("b", 10)])
    desk.script("a", (LOST_AFTER_DOT,))
    await desk.send(mail("m1"))
    desk.clock.advance(120)
    kept = await desk.again("m1")
    assert kept is not None
    assert (kept.progress[0].state, kept.progress[0].due) == (State.HELD, MIDNIGHT)
    assert not desk.transport("b").taken


async def test_a_message_with_more_recipients_than_are_left_is_sent_in_parts() -> None:
    desk = Desk(upstreams=[_limited(3, counts="Recipients")])
    to = [f"r{number}@example.net" for number in range(5)]
    kept = await desk.send(mail("m1", *to))
    assert desk.transport("a").taken[0].recipients == tuple(to[:3])
    assert kept is not None
    assert [one.state for one in kept.progress] == [State.DELIVERED] * 3 + [State.HELD] * 2
    assert {one.due for one in kept.progress[3:]} == {MIDNIGHT}
    desk.clock.now = MIDNIGHT
    assert await desk.again("m1") is None
    assert desk.transport("a").taken[1].recipients == tuple(to[3:])


async def test_the_rest_of_a_message_fails_over() -> None:
    desk = Desk(upstreams=[_limited(3, counts="Recipients"), upstream("b", 10)])
    to = [f"r{number}@example.net" for number in range(5)]
    assert await desk.send(mail("m1", *to)) is None
    assert desk.transport("b").taken[0].recipients == tuple(to[3:])


async def test_a_message_that_must_be_split_counts_as_many_as_the_provider_sees() -> None:
    desk = Desk(upstreams=[_limited(2, behavior={"max_recipients": 2}), upstream("b", 10)])
    to = [f"r{number}@example.net" for number in range(5)]
    assert await desk.send(mail("m1", *to)) is None
    assert [len(desk.transport(one).taken[0].recipients) for one in ("a", "b")] == [4, 1]


async def test_what_is_reserved_is_left_for_important_mail() -> None:
    desk = Desk(upstreams=[_limited(10, reserve_percent=20)])
    for number in range(8):
        assert await desk.send(mail(f"m{number}")) is None
    held = await desk.send(mail("m8"))
    assert held is not None
    assert "but for 2 kept for important routes" in held.progress[0].text
    important = replace(_transmission(held), important=True)
    assert [await _delivered(desk, important) for _ in range(3)] == [True, True, False]
    assert not await _delivered(desk, _transmission(held))


async def test_the_longest_of_several_quotas_holds_mail() -> None:
    quotas = [{"period": "Hour", "limit": 1}, {"period": "Day", "limit": 1}, {"period": "Month", "limit": 5}]
    desk = Desk(upstreams=[upstream("a", quotas=quotas)])
    await desk.send(mail("m1"))
    held = await desk.send(mail("m2"))
    assert held is not None
    assert held.progress[0].due == MIDNIGHT


async def test_a_day_of_daylight_saving_has_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 25, tzinfo=berlin)
    desk = Desk(VirtualClock(start.timestamp()), upstreams=[_limited(25, time_zone="Europe/Berlin")])
    for number in range(25):
        assert await desk.send(mail(f"m{number}", accepted=desk.clock())) is None
        desk.clock.advance(3500)
    held = await desk.send(mail("late", accepted=desk.clock()))
    assert held is not None
    assert held.progress[0].due == (start + timedelta(days=1)).timestamp() == start.timestamp() + 25 * 3600
    desk.clock.now = held.progress[0].due
    assert await desk.again("late") is None


async def test_a_rolling_quota_never_has_more_than_its_limit_in_any_span_of_its_length() -> None:
    desk = Desk(upstreams=[_limited(10, "Hour", window="Rolling"), upstream("b", 10)])
    sent: list[float] = []
    for number in range(400):
        before = len(desk.transport("a").taken)
        await desk.send(mail(f"m{number}", accepted=desk.clock()))
        sent += [desk.clock()] * (len(desk.transport("a").taken) - before)
        desk.clock.advance(97 if number % 50 else 1901)
    spans = [sum(begin <= one < begin + 3600 for one in sent) for begin in sent]
    assert max(spans) == 10
    assert len(sent) > 60


async def test_a_provider_that_says_so_itself_is_full_until_the_reset() -> None:
    desk = Desk(upstreams=[_limited(100)])
    await desk.send(mail("m1"))
    desk.clock.now = MIDNIGHT - 600
    desk.script("a", (QUOTA_SPENT,))
    held = await desk.send(mail("m2"))
    assert held is not None
    assert (_told(desk).used, _told(desk).told, _told(desk).reset) == (100, True, MIDNIGHT)
    assert desk.ways.states()[0].next_attempt == MIDNIGHT
    desk.clock.now = MIDNIGHT
    assert await desk.again("m2") is None
    assert (_told(desk).used, _told(desk).told) == (1, False)


async def test_a_provider_that_takes_mail_again_before_is_believed() -> None:
    desk = Desk(upstreams=[_limited(100)])
    desk.script("a", (QUOTA_SPENT,))
    await desk.send(mail("m1"))
    desk.clock.advance(3601)
    assert await desk.again("m1") is None
    assert (_told(desk).used, _told(desk).told) == (1, False)
    assert desk.ways.states()[0].breaker is BreakerState.CLOSED


async def test_a_reply_about_a_period_of_which_no_quota_is_known_says_nothing_of_the_others() -> None:
    desk = Desk(upstreams=[_limited(100, "Month"), upstream("b", 10)])
    desk.script("a", (QUOTA_SPENT,))
    assert await desk.send(mail("m1")) is None  # through b
    assert (_told(desk).used, _told(desk).told) == (0, False)
    state = desk.ways.states()[0]
    assert (state.breaker, state.fault) == (BreakerState.OPEN, "quota")
    assert state.next_attempt - desk.clock.now <= 1.2 * 3600


async def test_an_hour_is_told_in_good_english() -> None:
    desk = Desk(upstreams=[_limited(2, "Hour", counts="Recipients")])
    for number in range(3):
        held = await desk.send(mail(f"m{number}"))
    assert held is not None
    assert held.progress[0].text.startswith("a: the 2 recipients an hour are used up; more at ")


async def test_a_spent_quota_is_reported_as_an_upstream_that_is_out() -> None:
    desk = Desk(upstreams=[_limited(1, valid_until="2023-12-31")])
    assert (_told(desk).used, _told(desk).limit) == (0, 1)
    await desk.send(mail("m1"))
    state = desk.ways.states()[0]
    assert (state.breaker, state.fault, state.next_attempt) == (BreakerState.OPEN, "quota", MIDNIGHT)
    assert _told(desk).trial_end == datetime.fromisoformat("2024-01-01T00:00:00+00:00").timestamp()


async def test_a_restart_remembers_what_is_used() -> None:
    desk = Desk(upstreams=[_limited(2), upstream("b", 10)])
    await desk.send(mail("m1"))
    await desk.queue.stop(0)
    after = await _restarted(desk)
    assert after.states()[0].quotas[0].used == 1


async def test_what_a_crash_left_under_way_counts_as_sent() -> None:
    desk = Desk(upstreams=[_limited(2), upstream("b", 10)])

    async def hang() -> tuple[Outcome, ...]:
        await asyncio.sleep(3600)
        return (DELIVERED,)

    desk.script("a", hang)
    await desk.queue.accept(mail("m1"))
    await asyncio.sleep(0.01)
    await desk.memory.flush()
    after = await _restarted(desk)
    assert after.states()[0].quotas[0].used == 1
    await desk.queue.stop(0)


@pytest.mark.looptime
async def test_a_ledger_is_stored_once_a_second_however_much_is_sent() -> None:
    desk = Desk(upstreams=[_limited(1000)])
    stored: list[dict[str, Any]] = []
    remember = desk.spool.remember

    async def counting(key: str, value: dict[str, Any]) -> None:
        if key.startswith("quota/"):
            stored.append(value)
        await remember(key, value)

    desk.spool.remember = counting  # type: ignore[method-assign, assignment]
    for number in range(50):
        await desk.send(mail(f"m{number}"))
        await asyncio.sleep(0.05)
    await asyncio.sleep(2)
    assert 2 <= len(stored) <= 4
    assert stored[-1]["Day"]["used"] == 50
    await asyncio.sleep(60)
    assert len(stored) <= 4


async def test_a_rotated_credential_and_another_limit_count_on() -> None:
    first = Secrets(revision="r1", credentials={"a": Credential("u", "old")})
    second = Secrets(revision="r2", credentials={"a": Credential("u", "new")})
    desk = Desk(upstreams=[_limited(5, auth="Plain")], secrets=first)
    await desk.send(mail("m1"))
    desk.reconfigure(second, upstreams=[_limited(5, auth="Plain")])
    assert _told(desk).used == 1
    transport = desk.transport("a")
    assert desk.reconfigure(second, upstreams=[_limited(1, auth="Plain")]), "what waits may move"
    assert (_told(desk).used, _told(desk).limit) == (1, 1)
    assert desk.transport("a") is transport, "no connection is closed for it"
    assert not desk.reconfigure(second, upstreams=[_limited(1, auth="Plain")])


async def test_a_quota_that_is_taken_away_stops_nobody() -> None:
    desk = Desk(upstreams=[_limited(1)])
    await desk.send(mail("m1"))
    assert await desk.send(mail("m2")) is not None
    assert desk.reconfigure(upstreams=[upstream("a")])
    assert desk.ways.states()[0].quotas == ()
    assert await desk.send(mail("m3")) is None


@pytest.mark.parametrize(("ordinal", "sent"), [(0, 3), (1, 3), (2, 0)])
async def test_each_replica_keeps_to_its_share_and_one_that_came_later_waits(ordinal: int, sent: int) -> None:
    desk = Desk()
    desk.memory = Memory(desk.spool, desk.log, ordinal)
    desk.ways = Ways(desk.memory, desk._transport, desk.log, desk.clock, lambda: 0.0)
    share = {"of": 3, "changed": desk.clock() - 60, "least": 2, "most": 3}
    desk.ways.apply(running(upstreams=[_limited(10, share=share)]))
    one = _transmission(mail("m1"))
    assert sum([await _delivered(desk, one) for _ in range(10)]) == sent


async def test_in_a_period_after_the_change_each_replica_has_its_part() -> None:
    desk = Desk(upstreams=[_limited(10, share={"of": 2, "changed": MIDNIGHT - 1, "least": 0, "most": 5})])
    one = _transmission(mail("m1"))
    assert not await _delivered(desk, one)
    desk.clock.now = MIDNIGHT
    assert sum([await _delivered(desk, one) for _ in range(10)]) == 5


def _transmission(message: Message) -> Transmission:
    envelope = message.envelope
    to = tuple(one.final for one in envelope.recipients)
    return Transmission(envelope.id, envelope.sender, to, message.head, message.body, envelope.from_domain)


async def _delivered(desk: Desk, transmission: Transmission) -> bool:
    return isinstance(await desk.ways.deliver("a", transmission), Delivery)


async def _restarted(desk: Desk) -> Ways:
    """The ways of a new process over the same spool."""
    memory = Memory(desk.spool, desk.log)
    await memory.restore()
    ways = Ways(memory, desk._transport, desk.log, desk.clock, lambda: 0.0)
    ways.apply(desk.configured)
    return ways


async def test_who_was_let_through_at_the_same_moment_does_not_get_the_last_one_twice() -> None:
    desk = Desk(upstreams=[_limited(1, connections={"max": 5})])
    go = asyncio.Event()

    async def slow() -> tuple[Outcome, ...]:
        await go.wait()
        return (DELIVERED,)

    desk.script("a", slow, slow)
    first = asyncio.ensure_future(_delivered(desk, _transmission(mail("m1"))))
    await asyncio.sleep(0)
    assert not await _delivered(desk, _transmission(mail("m2")))
    go.set()
    assert await first


async def test_a_provider_that_takes_a_recipient_at_a_time_has_counted_a_message_each() -> None:
    desk = Desk(upstreams=[_limited(10)])
    transport = desk.transport("a")

    async def one_by_one(transmission: Transmission) -> Delivery:
        return Delivery((DELIVERED,) * 3, "a.example:25", transactions=3)

    transport.deliver = one_by_one  # type: ignore[method-assign]
    await desk.send(mail("m1", "r1@example.net", "r2@example.net", "r3@example.net"))
    assert _told(desk).used == 3
