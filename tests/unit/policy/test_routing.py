"""Where the next attempt goes: priority, failover, the guard of From domains, and honest waiting."""

from dataclasses import replace

import pytest
from tests.unit.policy.builders import NOW, alias, aliases, running, upstream

from mailhaul_relay.model.message import Envelope, Origin, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault, Verdict
from mailhaul_relay.policy.route_match import Traits
from mailhaul_relay.policy.routing import IDLE, Errand, Refuse, Send, Spent, UpstreamView, Wait, route
from mailhaul_relay.policy.running import Running

YOU = Recipient("you@far.example", "you@far.example")
MAIL = Envelope("id1", "app@own.example", (YOU,), "own.example", Origin.SUBMISSION, NOW, 5000)
HEAD = b"From: app@own.example\r\n\r\n"
FRESH = Progress()
TWO = running(upstreams=[upstream("first"), upstream("second", priority=10)])


def shut(fault: Fault, until: float, tried: bool = False) -> UpstreamView:
    return UpstreamView(permits=False, next_attempt=until, fault=fault, tried=tried)


def ask(
    relay: Running, progress: Progress = FRESH, mail: Envelope = MAIL, **views: UpstreamView
) -> Send | Wait | Refuse:
    path = relay.routes.of(Traits(mail, HEAD), mail.recipients[0])
    return route(relay, Errand(mail, mail.recipients[0], progress, path), views, NOW)


def waits(decision: Send | Wait | Refuse) -> Wait:
    assert isinstance(decision, Wait)
    return decision


def test_the_preferred_upstream_is_first() -> None:
    assert ask(TWO) == Send("first")


@pytest.mark.parametrize(
    "view",
    [
        shut(Fault.CONNECTION, NOW + 10),
        shut(Fault.AUTH, NOW + 300),
        UpstreamView(tried=True),
        UpstreamView(refused_senders=frozenset({"own.example"})),
    ],
)
def test_failover_goes_to_the_next(view: UpstreamView) -> None:
    assert ask(TWO, first=view) == Send("second")


def test_refused_from_of_another_domain_stops_nobody_else() -> None:
    assert ask(TWO, first=UpstreamView(refused_senders=frozenset({"other.example"}))) == Send("first")


def test_upstream_that_may_not_send_the_from_is_passed_over() -> None:
    relay = running(upstreams=[upstream("first", senders={"domains": ["x.example"]}), upstream("second", priority=10)])
    assert ask(relay) == Send("second")


def test_refused_senders_are_compared_with_the_from_that_leaves() -> None:
    senders = {"domains": ["x.example"], "rewriteFrom": "relay@x.example"}
    relay = running(upstreams=[upstream("first", senders=senders)])
    assert ask(relay, first=UpstreamView(refused_senders=frozenset({"own.example"}))) == Send("first")
    waiting = waits(ask(relay, first=UpstreamView(refused_senders=frozenset({"x.example"}))))
    assert (waiting.state, waiting.fault) == (State.HELD, Fault.SENDER)


def test_refused_envelope_senders_are_compared_with_the_one_that_leaves() -> None:
    senders = {"domains": ["x.example"], "rewriteFrom": "relay@x.example"}
    relay = running(upstreams=[upstream("first", senders=senders), upstream("second", priority=10)])
    foreign = replace(MAIL, sender="www-data@web-7f9c")
    assert ask(relay, mail=foreign, first=UpstreamView(refused_envelopes=frozenset({"web-7f9c"}))) == Send("first")
    assert ask(relay, mail=foreign, first=UpstreamView(refused_envelopes=frozenset({"x.example"}))) == Send("second")
    assert ask(TWO, mail=foreign, first=UpstreamView(refused_envelopes=frozenset({"web-7f9c"}))) == Send("second")
    assert ask(TWO, first=UpstreamView(refused_envelopes=frozenset({"web-7f9c"}))) == Send("first")


def test_message_too_large_for_one_goes_to_another_and_for_all_is_refused() -> None:
    small = upstream("first", behavior={"maxMessageSize": 4096})
    assert ask(running(upstreams=[small, upstream("second", priority=1)])) == Send("second")
    refused = ask(running(upstreams=[small]))
    assert isinstance(refused, Refuse)
    assert (refused.outcome.verdict, refused.outcome.fault) == (Verdict.FAILED, Fault.SIZE)


def test_message_too_large_for_the_one_that_is_up_waits_for_the_other() -> None:
    relay = running(upstreams=[upstream("first"), upstream("second", behavior={"maxMessageSize": 4096})])
    waiting = waits(ask(relay, first=shut(Fault.CONNECTION, NOW + 30)))
    assert (waiting.until, waiting.state) == (NOW + 30, State.DEFERRED)


@pytest.mark.parametrize(
    ("first", "second", "state", "fault", "until"),
    [
        (Fault.CONNECTION, Fault.CONNECTION, State.DEFERRED, Fault.CONNECTION, 10),
        (Fault.AUTH, Fault.QUOTA, State.HELD, Fault.AUTH, 10),
        (Fault.QUOTA, Fault.AUTH, State.HELD, Fault.AUTH, 10),
        (Fault.AUTH, Fault.CONNECTION, State.DEFERRED, Fault.AUTH, 10),
        (Fault.THROTTLE, Fault.TLS, State.DEFERRED, Fault.TLS, 10),
    ],
)
def test_waiting_tells_the_most_telling_fault_and_the_earliest_time(
    first: Fault, second: Fault, state: State, fault: Fault, until: float
) -> None:
    waiting = waits(ask(TWO, first=shut(first, NOW + until), second=shut(second, NOW + 500)))
    assert (waiting.state, waiting.fault, waiting.until) == (state, fault, NOW + until)
    assert waiting.reason


def test_after_every_upstream_was_tried_it_waits_for_its_own_back_off() -> None:
    tried = Progress(State.DEFERRED, NOW + 60, fault="transient", text="451 try later")
    waiting = waits(ask(TWO, tried, first=UpstreamView(tried=True), second=UpstreamView(tried=True)))
    assert (waiting.until, waiting.state, waiting.fault) == (NOW + 60, State.DEFERRED, Fault.TRANSIENT)


def test_without_upstreams_mail_is_held() -> None:
    waiting = waits(ask(running(upstreams=[])))
    assert (waiting.state, waiting.until) == (State.HELD, NOW + IDLE)
    assert "spec.upstreams" in waiting.reason


def test_from_that_no_upstream_may_send_any_more_is_held_not_lost() -> None:
    relay = running(upstreams=[upstream("one", senders={"domains": ["x.example"]})])
    waiting = waits(ask(relay))
    assert (waiting.state, waiting.fault) == (State.HELD, Fault.SENDER)
    assert "own.example" in waiting.reason


def test_a_hold_for_the_from_names_every_upstream_that_refuses_it() -> None:
    other = {"domains": ["x.example"]}
    relay = running(
        upstreams=[*(upstream(name, senders=other) for name in ("one", "two")), upstream("three", priority=9)]
    )
    refused = UpstreamView(refused_senders=frozenset({"own.example"}))
    waiting = waits(ask(relay, three=refused))
    assert (waiting.state, waiting.fault) == (State.HELD, Fault.SENDER)
    assert waiting.reason == (
        "one, two may not send own.example; see their spec.senders; "
        "three refuses From domain own.example; verify it there"
    )


def test_a_hold_for_the_from_names_a_bounded_number() -> None:
    other = {"domains": ["x.example"]}
    relay = running(upstreams=[upstream(f"up-{number}", senders=other) for number in range(9)])
    waiting = waits(ask(relay))
    assert "up-0, up-1, up-2, up-3, up-4 and 4 more may not send own.example; see their spec.senders" in waiting.reason


def test_an_upstream_that_merely_rests_is_not_said_to_refuse_the_from() -> None:
    relay = running(upstreams=[upstream("one", senders={"domains": ["x.example"]}), upstream("two", priority=9)])
    waiting = waits(ask(relay, two=shut(Fault.CONNECTION, NOW + 30)))
    assert waiting.reason == "one may not send own.example; see its spec.senders"


def test_unknown_outcome_is_never_failed_over() -> None:
    pinned = Progress(State.DEFERRED, NOW, 1, 1, "second")
    assert ask(TWO, pinned) == Send("second")
    for view in (shut(Fault.CONNECTION, NOW + 10), UpstreamView(tried=True)):
        assert waits(ask(TWO, pinned, second=view)).until > NOW
    gone = waits(ask(TWO, replace(pinned, pinned="removed")))
    assert gone.state is State.HELD


@pytest.mark.parametrize("unknowns", [0, 1])
def test_a_pinned_upstream_that_may_not_send_the_from_holds_the_mail(unknowns: int) -> None:
    """Also when a person asked for it: the provider would refuse it, or send it under a name that is not its own."""
    other = running(upstreams=[upstream("first"), upstream("second", senders={"domains": ["other.example"]})])
    pinned = Progress(State.DEFERRED, NOW, 1, unknowns, "second")
    wait = waits(ask(other, pinned))
    assert (wait.state, wait.fault, wait.until) == (State.HELD, Fault.SENDER, NOW + IDLE)
    assert "second may not send" in wait.reason


def test_unknown_for_the_third_time_is_held_until_it_expires() -> None:
    waiting = waits(ask(TWO, Progress(State.HELD, NOW, 3, 3, "second")))
    assert (waiting.state, waiting.until) == (State.HELD, NOW + TWO.config.queue.expire_after)


def test_forward_goes_only_where_somebody_elses_from_may_go() -> None:
    to_alias = Recipient("sales@own.example", "ann@far.example", "shop/alias")
    mail = replace(MAIL, origin=Origin.INBOUND, from_domain="far.example", recipients=(to_alias,))
    entry = alias("sales@own.example", "ann@far.example")
    upstreams = [upstream("first", behavior={"foreignFrom": "Refuse"}), upstream("second", priority=1)]
    assert ask(running(upstreams=upstreams, aliases=aliases(entry, fromRewriting="Never")), mail=mail) == Send("second")
    assert ask(running(upstreams=upstreams, aliases=aliases(entry)), mail=mail) == Send("first")


LIMITED = UpstreamView(spent=Spent(NOW + 60, "full"), spent_for_important=Spent(NOW + 60, "full"))
CROWDED = UpstreamView(busy_until=NOW + 9)


@pytest.mark.parametrize(
    ("first", "second", "awaits"),
    [
        (shut(Fault.CONNECTION, NOW + 10), shut(Fault.AUTH, NOW + 300), ("first", "second")),
        (shut(Fault.CONNECTION, NOW + 10, tried=True), shut(Fault.AUTH, NOW + 300), ("first", "second")),
        (LIMITED, shut(Fault.AUTH, NOW + 300), ("first", "second")),
        (shut(Fault.CONNECTION, NOW + 10), CROWDED, ("second",)),
        (CROWDED, UpstreamView(), ("first",)),
        (UpstreamView(tried=True), shut(Fault.AUTH, NOW + 300), ()),
        (UpstreamView(refused_senders=frozenset({"own.example"})), shut(Fault.AUTH, NOW + 300), ()),
    ],
)
def test_mail_awaits_upstreams_where_no_time_of_its_own_helps(
    first: UpstreamView, second: UpstreamView, awaits: tuple[str, ...]
) -> None:
    assert waits(ask(TWO, first=first, second=second)).awaits == awaits


def test_what_an_upstream_may_never_send_does_not_keep_mail_from_awaiting_the_others() -> None:
    relay = running(upstreams=[upstream("first", senders={"domains": ["x.example"]}), upstream("second", priority=10)])
    assert waits(ask(relay, second=shut(Fault.AUTH, NOW + 300))).awaits == ("second",)


def test_where_only_another_configuration_helps_nothing_is_awaited() -> None:
    relay = running(upstreams=[upstream("first", senders={"domains": ["x.example"]})])
    assert waits(ask(relay)).awaits == ()


def test_pinned_mail_awaits_its_upstream_alone() -> None:
    pinned = Progress(State.DEFERRED, pinned="second", unknowns=1)
    assert waits(ask(TWO, pinned, second=shut(Fault.CONNECTION, NOW + 10))).awaits == ("second",)
    assert waits(ask(TWO, pinned, second=LIMITED)).awaits == ("second",)


def test_important_mail_awaits_what_is_reserved_for_it() -> None:
    relay = running(upstreams=[upstream("first")], routes=[{"name": "alerts", "match": {}, "important": True}])
    assert waits(ask(relay, first=LIMITED)).awaits == ("first!",)
