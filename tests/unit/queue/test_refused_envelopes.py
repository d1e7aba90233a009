"""A refusal before the content is about the envelope sender: it stops mail with that one, not the From beside it."""

import asyncio

import pytest
from tests.support.queueing import DELIVERED, REFUSED_FROM, Desk, mail, upstream

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict

ONLY_A = [upstream("a")]
REPLY = Reply(550, "5.1.8", "<www-data@web-7f9c>: Sender address rejected: Domain not found")
REFUSED = Outcome(Verdict.HOLD, Stage.MAIL, Fault.SENDER, REPLY)


def _wrong(message_id: str = "wrong", sender: str = "www-data@web-7f9c") -> Message:
    """Mail of an app that names its machine in the envelope, with a good From."""
    return mail(message_id, envelope_sender=sender)


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA], ids=str)
async def test_one_apps_wrong_envelope_sender_does_not_stop_another_app_with_the_same_from(stage: Stage) -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (Outcome(Verdict.HOLD, stage, Fault.SENDER, REPLY),))
    held = await desk.send(_wrong())
    assert held is not None
    assert (held.progress[0].state, held.progress[0].fault) == (State.HELD, "sender")
    assert "Domain not found" in held.progress[0].text
    assert await desk.send(mail("right")) is None
    assert desk.ways.states()[0].refused_senders == frozenset()


async def test_what_has_a_refused_envelope_sender_is_passed_over_and_tried_again_later() -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (REFUSED,), (REFUSED,))
    await desk.send(_wrong())
    another = await desk.send(_wrong("another", sender="root@web-7f9c"))
    assert another is not None
    assert (another.progress[0].state, another.progress[0].attempts) == (State.HELD, 0)
    assert another.progress[0].text == "a refuses the envelope sender's domain web-7f9c; verify it there, or mend it"
    desk.clock.advance(60)
    await desk.again("wrong")
    assert len(desk.transport("a").taken) == 1
    desk.clock.advance(300)
    await desk.again("wrong")
    assert len(desk.transport("a").taken) == 2


async def test_it_goes_to_another_upstream_at_once() -> None:
    desk = Desk()
    desk.script("a", (REFUSED,))
    for number in range(3):
        assert await desk.send(_wrong(f"m{number}")) is None
    assert [len(desk.transport(one).taken) for one in ("a", "b")] == [1, 3]


async def test_a_delivery_with_that_envelope_sender_ends_the_refusal_and_wakes_what_is_held() -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (REFUSED,), (DELIVERED,))
    await desk.send(_wrong())
    desk.clock.advance(200)
    held = await desk.send(_wrong("another"))
    assert held is not None
    desk.clock.advance(101)
    assert held.due > desk.clock()
    assert await desk.send(_wrong("trial")) is None
    await asyncio.sleep(0.01)
    assert desk.spool.messages["another"].due <= desk.clock()
    assert await desk.send(_wrong("next")) is None


async def test_the_null_sender_is_one_as_well() -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (REFUSED,))
    await desk.send(_wrong(sender=""))
    held = await desk.send(_wrong("another", sender=""))
    assert held is not None
    assert held.progress[0].text == "a refuses the null sender; see its spec.behavior.nullSender"
    assert await desk.send(mail("right")) is None


async def test_a_from_that_is_refused_by_the_content_is_charged_to_the_from() -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (REFUSED_FROM,))
    await desk.send(_wrong())
    assert desk.ways.states()[0].refused_senders == {"example.com"}


async def test_a_refusal_at_mail_is_of_the_from_where_both_are_of_one_domain() -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (REFUSED,))
    await desk.send(mail("m1"))
    assert desk.ways.states()[0].refused_senders == {"example.com"}


async def test_an_upstream_forgets_an_envelope_sender_that_does_not_come_again() -> None:
    desk = Desk(upstreams=ONLY_A)
    desk.script("a", (REFUSED,))
    await desk.send(_wrong())
    assert not desk.ways.is_calm
    desk.clock.advance(2 * 3600)
    await desk.send(mail("right"))
    assert desk.ways.is_calm


async def test_a_restart_forgets_it_and_costs_one_attempt_that_fails_over_or_holds_again() -> None:
    for upstreams, taken_by_b in ((ONLY_A, 0), ([upstream("a"), upstream("b", 10)], 1)):
        before = Desk(upstreams=ONLY_A)
        before.script("a", (REFUSED,))
        held = await before.send(_wrong())
        assert held is not None
        after = Desk(upstreams=upstreams)
        after.spool.messages = before.spool.messages
        after.clock.now = held.due
        after.script("a", (REFUSED,))
        kept = await after.again("wrong")
        assert len(after.transport("a").taken) == 1
        assert after.tally.failed == 0
        assert kept is None if taken_by_b else kept is not None and kept.progress[0].state is State.HELD
