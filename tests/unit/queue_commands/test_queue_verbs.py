"""Hold, release, move and bounce: only what a person means is changed, and a hold is ended by a person alone."""

import asyncio
import json

import pytest
from tests.support.queued_mail import ACCEPTED, dead, held, message_id, queued
from tests.unit.queue_commands.test_queue_commands import NOW, Desk

from mailhaul_contract.config import BounceMode, Bounces, Queue
from mailhaul_relay.model.message import Envelope, Message, Origin, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.queue.orders import Answer, Order, Selection, Tallied, Verb
from mailhaul_relay.spool.interface import Stored

EXPIRY = ACCEPTED + Queue().expire_after
WAITS = (Progress(), held(state=State.DEFERRED), held())


async def _do(desk: Desk, verb: Verb, number: int = 0, upstream: str = "") -> Answer:
    return await desk.commands.one(message_id(number), Order(verb, upstream))


async def test_mail_on_hold_is_due_only_at_its_end_and_keeps_its_last_words() -> None:
    desk = Desk([queued(0, *WAITS)])
    assert await _do(desk, Verb.HOLD) is Answer.DONE
    assert all(one.is_on_hold and one.due == EXPIRY for one in desk.progress(0))
    assert desk.progress(0)[2].text == "535 5.7.8 authentication failed"
    assert "released" in desk.progress(0)[0].text or "release" in desk.progress(0)[0].text


async def test_no_wake_touches_mail_on_hold() -> None:
    desk = Desk([queued(0, held()), queued(1, held())])
    await _do(desk, Verb.HOLD)
    assert await desk.spool.wake(NOW, (State.HELD, State.DEFERRED)) == 1
    assert (desk.progress(0)[0].due, desk.progress(1)[0].due) == (EXPIRY, NOW)


async def test_release_makes_mail_on_hold_due_and_touches_no_other() -> None:
    desk = Desk([queued(0, *WAITS), queued(1, held())])
    await _do(desk, Verb.HOLD)
    assert await _do(desk, Verb.RELEASE) is Answer.DONE
    assert [one.state for one in desk.progress(0)] == [State.QUEUED, State.DEFERRED, State.DEFERRED]
    assert {one.due for one in desk.progress(0)} == {NOW}
    assert await _do(desk, Verb.RELEASE, 1) is Answer.NOTHING
    assert desk.progress(1) == (held(),)


async def test_a_retry_ends_a_hold_too() -> None:
    desk = Desk([queued(0, held())])
    await _do(desk, Verb.HOLD)
    await _do(desk, Verb.RETRY)
    assert not desk.progress(0)[0].is_on_hold
    assert desk.progress(0)[0].due == NOW


async def test_a_hold_holds_no_dead_letter_and_nothing_twice() -> None:
    desk = Desk([queued(0, dead()), queued(1)])
    assert await _do(desk, Verb.HOLD) is Answer.NOTHING
    assert await _do(desk, Verb.HOLD, 1) is Answer.DONE
    assert await _do(desk, Verb.HOLD, 1) is Answer.NOTHING


async def test_moved_mail_goes_through_that_upstream_alone_even_when_another_may_have_it() -> None:
    desk = Desk([queued(0, held(unknowns=3, pinned="primary"))])
    assert await _do(desk, Verb.MOVE, upstream="backup") is Answer.DONE
    (fate,) = desk.progress(0)
    assert (fate.pinned, fate.unknowns, fate.due) == ("backup", 0, NOW)


async def test_mail_on_hold_that_is_moved_stays_on_hold() -> None:
    desk = Desk([queued(0, held())])
    await _do(desk, Verb.HOLD)
    await _do(desk, Verb.MOVE, upstream="backup")
    (fate,) = desk.progress(0)
    assert (fate.is_on_hold, fate.pinned, fate.due) == (True, "backup", EXPIRY)


async def test_nothing_is_moved_to_an_upstream_that_is_not_there() -> None:
    desk = Desk([queued(0, held())])
    assert await _do(desk, Verb.MOVE, upstream="typo") is Answer.NO_SUCH_UPSTREAM
    assert await desk.commands.many(Selection(), Order(Verb.MOVE, "typo")) is Answer.NO_SUCH_UPSTREAM
    assert await desk.commands.count(Selection(), Order(Verb.MOVE, "typo")) is Answer.NO_SUCH_UPSTREAM


async def test_mail_that_is_given_up_is_a_dead_letter_that_is_counted_and_told() -> None:
    desk = Desk([queued(0, held(), Progress(State.DELIVERED))])
    assert await _do(desk, Verb.BOUNCE) is Answer.DONE
    first, second = desk.progress(0)
    assert (first.state, first.fault) == (State.DEAD, "operator")
    assert first.text == "given up by an operator; last: 535 5.7.8 authentication failed"
    assert second == Progress(State.DELIVERED)
    assert desk.tally.failed == 1
    assert desk.events() == ["queue-bounced", "dead-letter"]


async def test_giving_up_reports_to_the_sender_where_bounces_are_sent() -> None:
    desk = Desk([queued(0, held())], bounces=Bounces(mode=BounceMode.SEND))
    await _do(desk, Verb.BOUNCE)
    (report,) = (one for one in desk.spool.messages.values() if one.envelope.origin is Origin.BOUNCE)
    assert (report.envelope.sender, report.envelope.recipients[0].final) == ("", "app@example.com")
    assert b"given up by an operator" in (report.body.data or b"")


async def test_giving_up_never_writes_to_a_stranger() -> None:
    stranger = queued(0, held())
    envelope = Envelope(
        stranger.id, "forged@far.example", (Recipient("sales@own.example", "ann@far.example", "shop/sales"),),
        "far.example", Origin.INBOUND, ACCEPTED, 120,
    )  # fmt: skip
    desk = Desk(
        [Message(envelope, stranger.head, stranger.body, stranger.progress)], bounces=Bounces(mode=BounceMode.SEND)
    )
    assert await _do(desk, Verb.BOUNCE) is Answer.DONE
    assert list(desk.spool.messages) == [message_id(0)]


async def test_every_order_is_part_of_the_messages_story() -> None:
    desk = Desk([queued(0, held())])
    for verb, upstream in ((Verb.HOLD, ""), (Verb.MOVE, "backup"), (Verb.RELEASE, ""), (Verb.DROP, "")):
        await _do(desk, verb, upstream=upstream)
    story = await desk.journal.chronicle.story(message_id(0))
    assert {(one.verb, one.detail) for one in story.ordered} == {
        ("hold", ""), ("move", "backup"), ("release", ""), ("drop", "")
    }  # fmt: skip


async def test_an_order_on_many_changes_only_the_recipients_that_match() -> None:
    desk = Desk([queued(0, held(), held(), to=("a@one.example", "b@two.example"))])
    assert await desk.commands.many(Selection(domain="ONE.example"), Order(Verb.BOUNCE)) == Tallied(1, 0, "")
    assert [one.state for one in desk.progress(0)] == [State.DEAD, State.HELD]


async def test_a_drop_of_some_recipients_leaves_a_message_alone_that_has_others() -> None:
    desk = Desk([queued(0, held(), held(), to=("a@one.example", "b@two.example"))])
    assert await desk.commands.many(Selection(domain="one.example"), Order(Verb.DROP)) == Tallied(0, 1, "")
    assert desk.spool.messages


async def test_a_count_changes_nothing_and_says_what_would_be_done() -> None:
    desk = Desk([queued(0, held()), queued(1, dead()), queued(2)])
    assert await desk.commands.count(Selection(), Order(Verb.HOLD)) == Tallied(2, 0, "")
    assert await desk.commands.count(Selection(), Order(Verb.DROP)) == Tallied(3, 0, "")
    assert desk.progress(0) == (held(),)
    assert not desk.lines


STORED = Stored(
    queued(0, sender="Shop@example.com", to=("Alice@One.example", "bob@two.example")).envelope,
    (held(upstream="primary", fault="auth"), held(state=State.DEFERRED, upstream="", pinned="backup", fault="quota")),
)


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), {0, 1}),
        (Selection(frozenset({State.HELD})), {0}),
        (Selection(frozenset({State.DEAD})), set()),
        (Selection(sender="shop@"), {0, 1}),
        (Selection(sender="other"), set()),
        (Selection(recipient="ALICE"), {0}),
        (Selection(domain="two.example"), {1}),
        (Selection(domain="example"), set()),
        (Selection(upstream="primary"), {0}),
        (Selection(upstream="backup"), {1}),
        (Selection(fault="quota"), {1}),
        (Selection(since=ACCEPTED), {0, 1}),
        (Selection(since=ACCEPTED + 1), set()),
        (Selection(until=ACCEPTED), {0, 1}),
        (Selection(until=ACCEPTED - 1), set()),
        (Selection(domain="two.example", fault="auth"), set()),
    ],
)
def test_a_selection_means_the_recipients_that_match_it_all(selection: Selection, meant: set[int]) -> None:
    assert selection.chosen(STORED) == meant


def test_a_person_is_a_fault_that_can_be_selected_by() -> None:
    assert Fault("operator") is Fault.OPERATOR


async def test_what_was_given_up_is_logged_with_its_id() -> None:
    desk = Desk([queued(0, held())])
    await _do(desk, Verb.BOUNCE)
    assert json.loads(desk.lines[0])["id"] == message_id(0)


async def test_a_hold_ends_with_the_time_of_the_messages_route() -> None:
    routes = [{"name": "quick", "match": {"header": {"name": "X-Class", "value": "quick"}}, "expire_after": 20_000}]
    desk = Desk([queued(0, held(), head=b"X-Class: quick\r\n\r\n"), queued(1, held())], routes=routes)
    assert await desk.commands.many(Selection(), Order(Verb.HOLD)) == Tallied(2, 0, "")
    assert (desk.progress(0)[0].due, desk.progress(1)[0].due) == (ACCEPTED + 20_000, EXPIRY)


@pytest.mark.looptime
async def test_the_reports_of_a_page_wait_for_the_disk_together_and_not_one_after_the_other() -> None:
    desk = Desk([queued(number, held()) for number in range(20)], bounces=Bounces(mode=BounceMode.SEND))

    async def accept(_: Message) -> None:
        await asyncio.sleep(1)

    desk.journal.bouncer.accept = accept
    started = asyncio.get_running_loop().time()
    assert await desk.commands.many(Selection(), Order(Verb.BOUNCE)) == Tallied(20, 0, "")
    assert desk.tally.bounces == 20
    assert asyncio.get_running_loop().time() - started < 2
