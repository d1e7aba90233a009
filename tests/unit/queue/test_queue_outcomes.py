"""What an attempt's outcome does to a message: delivered, failed over, kept, held, dead; each recipient by itself."""

import pytest
from tests.support.queueing import (
    DELIVERED,
    GREYLISTED,
    LOST_AFTER_DOT,
    NO_SUCH_USER,
    REFUSED_CONNECTION,
    REFUSED_FROM,
    TOO_LARGE_HERE,
    WRONG_PASSWORD,
    Desk,
    mail,
)

from mailhaul_relay.model.message import State
from mailhaul_relay.policy.retry import MAX_UNKNOWNS


async def test_a_delivered_message_leaves_the_spool() -> None:
    desk = Desk()
    assert await desk.send(mail()) is None
    assert [one.recipients for one in desk.transport("a").taken] == [("r@example.net",)]
    assert desk.tally.delivered == 1


@pytest.mark.parametrize("answer", [REFUSED_CONNECTION, WRONG_PASSWORD, REFUSED_FROM, GREYLISTED, TOO_LARGE_HERE])
async def test_what_one_upstream_does_not_take_now_is_offered_to_the_next(answer: object) -> None:
    desk = Desk()
    desk.script("a", (answer,))  # type: ignore[arg-type]
    assert await desk.send(mail()) is None
    assert len(desk.transport("b").taken) == 1


async def test_a_refused_recipient_is_dead_at_once_and_nobody_else_is_asked() -> None:
    desk = Desk()
    desk.script("a", (NO_SUCH_USER,))
    kept = await desk.send(mail())
    assert kept is not None
    assert kept.progress[0].state is State.DEAD
    assert kept.progress[0].text == "550 5.1.1 no such user"
    assert desk.transport("b").taken == []


async def test_each_recipient_has_an_outcome_of_its_own() -> None:
    desk = Desk()
    desk.script("a", (DELIVERED, NO_SUCH_USER, GREYLISTED))
    desk.script("b", (GREYLISTED,))
    kept = await desk.send(mail("m1", "one@x.example", "two@x.example", "three@x.example"))
    assert kept is not None
    assert [one.state for one in kept.progress] == [State.DELIVERED, State.DEAD, State.DEFERRED]
    assert [one.recipients for one in desk.transport("b").taken] == [("three@x.example",)]


async def test_a_delivered_recipient_is_not_sent_to_again() -> None:
    desk = Desk()
    desk.script("a", (DELIVERED, GREYLISTED))
    desk.script("b", (GREYLISTED,))
    kept = await desk.send(mail("m1", "one@x.example", "two@x.example"))
    assert kept is not None
    desk.clock.advance(3600)
    assert await desk.again("m1") is None
    assert desk.transport("a").taken[-1].recipients == ("two@x.example",)


async def test_a_quota_auth_or_sender_reply_holds_and_never_bounces() -> None:
    desk = Desk()
    desk.script("a", (WRONG_PASSWORD,))
    desk.script("b", (REFUSED_FROM,))
    kept = await desk.send(mail())
    assert kept is not None
    assert kept.progress[0].state is State.HELD
    assert kept.progress[0].due > desk.clock()


async def test_an_unknown_outcome_is_never_failed_over() -> None:
    desk = Desk()
    desk.script("a", (LOST_AFTER_DOT,))
    kept = await desk.send(mail())
    assert kept is not None
    assert kept.progress[0].pinned == "a"
    assert desk.transport("b").taken == []


async def test_an_unknown_outcome_is_tried_twice_more_at_the_same_upstream_then_held() -> None:
    desk = Desk()
    desk.script("a", *[(LOST_AFTER_DOT,)] * 5)
    kept = await desk.send(mail())
    for _ in range(MAX_UNKNOWNS + 2):
        assert kept is not None
        desk.clock.advance(7200)
        kept = await desk.again("m1")
    assert kept is not None
    assert kept.progress[0].state is State.HELD
    assert len(desk.transport("a").taken) == 1 + MAX_UNKNOWNS
    assert desk.transport("b").taken == []


async def test_the_bytes_of_a_retry_are_the_same() -> None:
    desk = Desk()
    desk.script("a", (LOST_AFTER_DOT,))
    await desk.send(mail())
    desk.clock.advance(7200)
    await desk.again("m1")
    first, second = desk.transport("a").taken
    assert (first.head, first.body) == (second.head, second.body)


async def test_mail_that_waits_too_long_becomes_a_dead_letter_with_the_last_words() -> None:
    desk = Desk()
    desk.script("a", *[(GREYLISTED,)] * 3)
    desk.script("b", *[(GREYLISTED,)] * 3)
    await desk.send(mail())
    desk.clock.advance(5 * 24 * 3600)
    kept = await desk.again("m1")
    assert kept is not None
    assert kept.progress[0].state is State.DEAD
    assert "greylisted" in kept.progress[0].text


async def test_held_mail_expires_too_although_it_is_never_attempted() -> None:
    desk = Desk()
    desk.script("a", (WRONG_PASSWORD,))
    desk.script("b", (WRONG_PASSWORD,))
    await desk.send(mail())
    desk.ways.states()[0].on_trial = desk.ways.states()[1].on_trial = True
    desk.clock.advance(5 * 24 * 3600)
    kept = await desk.again("m1")
    assert kept is not None
    assert kept.progress[0].state is State.DEAD


async def test_one_from_that_a_provider_refuses_stops_no_other() -> None:
    desk = Desk()
    desk.script("a", (REFUSED_FROM,))
    await desk.send(mail("m1", sender="wrong@other.example"))
    await desk.send(mail("m2", sender="app@example.com"))
    await desk.send(mail("m3", sender="again@other.example"))
    assert [one.id for one in desk.transport("a").taken] == ["m1", "m2"]
    assert [one.id for one in desk.transport("b").taken] == ["m1", "m3"]


async def test_no_word_of_a_message_is_logged_when_our_code_fails() -> None:
    desk = Desk()

    async def fail() -> None:
        raise ValueError("Subject: secret")

    desk.script("a", fail)
    kept = await desk.send(mail())
    assert kept is not None
    assert kept.progress[0].state is State.DEFERRED
    assert kept.progress[0].due > desk.clock()
    assert "internal-error" in "".join(desk.lines)
    assert "secret" not in "".join(desk.lines)


async def test_an_error_of_ours_does_not_repeat_what_was_delivered() -> None:
    desk = Desk(upstreams=[{"name": "a", "provider": "a", "host": "a.example", "senders": {"domains": []}}])
    desk.script("a", (DELIVERED, GREYLISTED))
    kept = await desk.send(mail("m1", "one@x.example", "two@x.example"))
    assert kept is not None

    async def fail() -> None:
        raise RuntimeError

    desk.script("a", fail)
    desk.clock.advance(3600)
    kept = await desk.again("m1")
    assert kept is not None
    assert kept.progress[0].state is State.DELIVERED
