"""Routes at work in the queue: each recipient's own way, its own time to live, and what waits follows a new one."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.support.queueing import GREYLISTED, REFUSED_CONNECTION, REFUSED_FROM, WRONG_PASSWORD, Desk, mail, upstream

from mailhaul_relay.model.message import State
from mailhaul_relay.model.outcome import Reply

UPSTREAMS = [upstream("a", 0), upstream("b", 10), upstream("c", 20)]
BILLING = {"name": "billing", "match": {"sender_domains": ["pay.example"]}, "upstreams": ["b"]}


def desk(*routes: dict[str, Any], **config: Any) -> Desk:  # noqa: ANN401 - JSON
    return Desk(**{"upstreams": UPSTREAMS, "routes": list(routes), **config})


def taken(of: Desk, name: str) -> list[tuple[str, ...]]:
    """The recipients of each transmission that an upstream was given."""
    return [one.recipients for one in of.transport(name).taken]


async def test_recipients_of_one_message_leave_along_routes_of_their_own() -> None:
    inside = {"name": "inside", "match": {"recipient_domains": ["in.example"]}, "upstreams": ["c"]}
    of = desk(inside, BILLING)
    kept = await of.send(mail("m1", "x@in.example", "y@out.example", "z@in.example", sender="app@pay.example"))
    assert kept is None
    assert (taken(of, "a"), taken(of, "b"), taken(of, "c")) == (
        [],
        [("y@out.example",)],
        [("x@in.example", "z@in.example")],
    )


async def test_failing_over_stays_within_the_route() -> None:
    of = desk({**BILLING, "upstreams": ["b", "c"]})
    of.script("b", (REFUSED_CONNECTION,))
    of.script("c", (GREYLISTED,))
    kept = await of.send(mail(sender="app@pay.example"))
    assert kept is not None
    assert kept.progress[0].state is State.DEFERRED
    assert taken(of, "a") == []


@pytest.mark.parametrize(("answer", "state"), [(GREYLISTED, State.DEFERRED), (WRONG_PASSWORD, State.HELD)])
async def test_mail_expires_as_its_route_says_held_mail_too(answer: Any, state: State) -> None:  # noqa: ANN401
    of = desk({**BILLING, "expire_after": 1800})
    of.script("b", (answer,), (GREYLISTED,), (GREYLISTED,))
    quick = await of.send(mail("quick", sender="app@pay.example"))
    assert quick is not None
    assert quick.progress[0].state is state
    of.script("a", (GREYLISTED,))
    of.script("c", (GREYLISTED,))
    assert await of.send(mail("slow"))
    of.clock.advance(1801)
    quick, slow = await of.again("quick"), await of.again("slow")
    assert quick is not None
    assert (quick.progress[0].state, quick.progress[0].fault) == (State.DEAD, "expired")
    assert slow is None, "the other mail has the time of the queue, and left"


async def test_what_waits_takes_the_route_of_a_new_configuration() -> None:
    of = desk(BILLING)
    of.script("b", (WRONG_PASSWORD,))
    assert await of.send(mail(sender="app@pay.example"))
    of.reconfigure(upstreams=UPSTREAMS, routes=[{**BILLING, "upstreams": ["c"]}])
    of.clock.advance(3600)
    assert await of.again("m1") is None
    assert len(taken(of, "c")) == 1


async def test_what_no_upstream_of_a_new_route_may_send_is_held_with_the_reason_and_leaves_when_it_may() -> None:
    of = desk()
    of.script("a", (GREYLISTED,))
    of.script("b", (GREYLISTED,))
    of.script("c", (GREYLISTED,))
    assert await of.send(mail(sender="app@pay.example"))
    shut = [upstream("a", 0), upstream("b", 10, senders={"domains": ["own.example"]}), upstream("c", 20)]
    of.reconfigure(upstreams=shut, routes=[BILLING])
    of.clock.advance(3600)
    kept = await of.again("m1")
    assert kept is not None
    assert (kept.progress[0].state, kept.progress[0].fault) == (State.HELD, "sender")
    assert len(taken(of, "a")) == 1
    of.reconfigure(upstreams=UPSTREAMS, routes=[BILLING])
    of.clock.advance(7200)
    assert await of.again("m1") is None


async def test_a_refused_from_is_told_with_every_upstream_of_the_route_that_refuses_it() -> None:
    of = desk({**BILLING, "upstreams": ["a", "b", "c"]})
    shut = [upstream("a", 0), upstream("b", 10), upstream("c", 20, senders={"domains": ["own.example"]})]
    of.reconfigure(upstreams=shut, routes=[{**BILLING, "upstreams": ["a", "b", "c"]}])
    of.script("a", (REFUSED_FROM,))
    of.script("b", (REFUSED_FROM,))
    kept = await of.send(mail(sender="app@pay.example"))
    assert kept is not None
    (progress,) = kept.progress
    assert (progress.state, progress.fault, progress.upstream, progress.code) == (State.HELD, "sender", "b", 554)
    assert progress.text == (
        f"{REFUSED_FROM.text}; a refuses From domain pay.example; verify it there; "
        "c may not send pay.example; see its spec.senders"
    )


async def test_a_long_reply_makes_room_for_the_names_of_the_others() -> None:
    of = desk({**BILLING, "upstreams": ["a", "b"]})
    long = replace(REFUSED_FROM, reply=Reply(550, "5.7.1", "x" * 505))
    of.script("a", (long,))
    of.script("b", (long,))
    kept = await of.send(mail(sender="app@pay.example"))
    assert kept is not None
    assert kept.progress[0].text.startswith("550 5.7.1 xxx")
    assert kept.progress[0].text.endswith("; a refuses From domain pay.example; verify it there")
    assert len(kept.progress[0].text) <= 512


async def test_mail_that_was_never_tried_tells_which_route_holds_it() -> None:
    of = desk({**BILLING, "upstreams": []})
    kept = await of.send(mail(sender="app@pay.example"))
    assert kept is not None
    assert kept.progress[0].state is State.HELD
    assert kept.progress[0].text == "route billing has no upstream that can be used; see spec.routes of the SmtpRelay"


async def test_a_deferring_route_keeps_new_mail_out_while_it_would_hold_it() -> None:
    of = desk({**BILLING, "on_hold": "Defer"})
    of.script("b", (WRONG_PASSWORD,))
    billing, other = mail("m2", sender="app@pay.example"), mail("m3")
    assert of.queue.deferral(billing) is None
    assert await of.send(mail(sender="app@pay.example"))
    told = of.queue.deferral(billing)
    assert told is not None
    assert (told.code, told.text) == (451, "route billing: b: auth; come again later")
    assert of.queue.deferral(other) is None
    of.clock.advance(3600)
    assert of.queue.deferral(billing) is None, "the next one is the trial"


async def test_log_and_counters_name_the_route_and_important_mail_is_marked() -> None:
    of = desk({**BILLING, "important": True})
    await of.send(mail("m1", sender="app@pay.example"))
    await of.send(mail("m2"))
    lines = [json.loads(line) for line in of.lines if '"delivered"' in line]
    assert [(one["id"], one.get("route")) for one in lines] == [("m1", "billing"), ("m2", None)]
    assert {name: dict(counts) for name, counts in of.tally.routes.items()} == {"billing": {"delivered": 1}}
    assert [one.important for name in "ab" for one in of.transport(name).taken] == [False, True]


async def test_another_weight_or_priority_keeps_connections_and_breaker_and_wakes_what_waits() -> None:
    of = desk()
    of.script("a", (WRONG_PASSWORD,))
    assert await of.send(mail()) is None, "b took it"
    assert of.reconfigure(upstreams=[upstream("a", 0, weight=5), upstream("b", 0), upstream("c", 20)])
    assert all(len(transports) == 1 for transports in of.transports.values())
    assert await of.send(mail("m2")) is None
    assert len(taken(of, "a")) == 1, "its breaker stays open"
    assert not of.reconfigure(upstreams=[upstream("a", 0, weight=5), upstream("b", 0), upstream("c", 20)])


async def test_mail_in_work_goes_on_along_the_routes_of_a_new_configuration() -> None:
    of, go = desk(), asyncio.Event()

    async def refuse_late() -> tuple[object, ...]:
        await go.wait()
        return (GREYLISTED,)

    of.script("a", refuse_late)
    await of.queue.accept(mail(sender="app@pay.example"))
    await asyncio.sleep(0.01)
    of.reconfigure(upstreams=UPSTREAMS, routes=[{**BILLING, "upstreams": ["c"]}])
    go.set()
    await of.settled("m1")
    assert of.spool.messages == {}
    assert (len(taken(of, "b")), len(taken(of, "c"))) == (0, 1)
