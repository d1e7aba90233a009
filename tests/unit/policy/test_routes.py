"""Mail on a route: only its upstreams, its own time to live, its own claim on reserved quota; held rather than lost."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.policy.builders import NOW, running, upstream

from mailhaul_contract.quotas import OnQuota
from mailhaul_relay.model.message import UNTRIED, Envelope, Origin, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.policy.route_match import Traits
from mailhaul_relay.policy.routing import Errand, Refuse, Send, Spent, UpstreamView, Wait, route
from mailhaul_relay.policy.running import Running

YOU = Recipient("you@far.example", "you@far.example")
MAIL = Envelope("id1", "pay@pay.example", (YOU,), "pay.example", Origin.SUBMISSION, NOW, 5000)
BILLING = {"name": "billing", "match": {"senderDomains": ["pay.example"]}, "upstreams": ["backup", "spare"]}
CLOSED = UpstreamView(permits=False, next_attempt=NOW + 60, fault=Fault.CONNECTION)


def relay(*routes: dict[str, Any], **changes: Any) -> Running:  # noqa: ANN401 - JSON
    upstreams = [upstream("primary"), upstream("backup", priority=5), upstream("spare", priority=9)]
    return running(**{"upstreams": upstreams, "routes": list(routes), **changes})


def ask(
    of: Running, mail: Envelope = MAIL, progress: Progress = UNTRIED, **views: UpstreamView
) -> Send | Wait | Refuse:
    path = of.routes.of(Traits(mail, b""), mail.recipients[0])
    return route(of, Errand(mail, mail.recipients[0], progress, path), views, NOW)


def test_mail_of_a_route_takes_its_upstreams_in_their_order_and_other_mail_takes_all() -> None:
    assert ask(relay(BILLING)) == Send("backup")
    assert ask(relay(BILLING), replace(MAIL, from_domain="own.example")) == Send("primary")


def test_failing_over_never_leaves_the_route() -> None:
    assert ask(relay(BILLING), backup=CLOSED) == Send("spare")
    waiting = ask(relay(BILLING), backup=CLOSED, spare=CLOSED)
    assert isinstance(waiting, Wait)
    assert (waiting.state, waiting.fault) == (State.DEFERRED, Fault.CONNECTION)
    assert waiting.reason == "route billing: backup: connection"


def test_a_route_without_upstreams_of_its_own_takes_all() -> None:
    assert ask(relay({"name": "slow", "expireAfter": 60})) == Send("primary")


def test_a_route_whose_upstreams_are_gone_holds_its_mail_and_says_so() -> None:
    waiting = ask(relay({**BILLING, "upstreams": []}))
    assert isinstance(waiting, Wait)
    assert waiting.state is State.HELD
    assert waiting.reason == "route billing has no upstream that can be used; see spec.routes of the SmtpRelay"


def test_a_from_that_no_upstream_of_the_route_may_send_any_more_is_held_with_the_reason() -> None:
    upstreams = [upstream("primary"), upstream("backup", senders={"domains": ["own.example"]})]
    waiting = ask(relay({**BILLING, "upstreams": ["backup"]}, upstreams=upstreams))
    assert isinstance(waiting, Wait)
    assert (waiting.state, waiting.fault) == (State.HELD, Fault.SENDER)
    assert waiting.reason == "route billing: backup may not send pay.example; see its spec.senders"


def test_a_message_too_large_for_the_route_is_refused_though_another_upstream_would_take_it() -> None:
    upstreams = [upstream("primary"), upstream("backup", behavior={"maxMessageSize": 4096})]
    refused = ask(relay({**BILLING, "upstreams": ["backup"]}, upstreams=upstreams))
    assert isinstance(refused, Refuse)
    assert "every upstream of route billing takes" in refused.outcome.text


def test_only_important_mail_spends_what_a_quota_reserves() -> None:
    reserved = UpstreamView(spent=Spent(NOW + 600, "backup: only its reserve is left"))
    urgent = relay({**BILLING, "important": True})
    assert ask(urgent, backup=reserved) == Send("backup", important=True)
    assert ask(relay(BILLING), backup=reserved) == Send("spare")
    empty = replace(reserved, spent_for_important=Spent(NOW + 600, "backup: nothing is left"))
    assert ask(urgent, backup=empty) == Send("spare", important=True)


def test_a_spent_quota_that_holds_ends_the_search_on_a_route_too() -> None:
    upstreams = [upstream("backup", onQuota=OnQuota.HOLD.value), upstream("spare", priority=1)]
    waiting = ask(relay(BILLING, upstreams=upstreams), backup=UpstreamView(spent=Spent(NOW + 600, "backup: spent")))
    assert isinstance(waiting, Wait)
    assert (waiting.state, waiting.until, waiting.reason) == (State.HELD, NOW + 600, "route billing: backup: spent")


@pytest.mark.parametrize("unknowns", [0, 1])
def test_who_asks_for_an_upstream_gets_it_outside_of_the_route_but_not_one_that_may_not_send_the_from(
    unknowns: int,
) -> None:
    pinned = Progress(State.DEFERRED, NOW, 1, unknowns, "primary")
    assert ask(relay(BILLING), progress=pinned) == Send("primary")
    upstreams = [upstream("primary", senders={"domains": ["own.example"]}), upstream("backup")]
    waiting = ask(relay({**BILLING, "upstreams": ["backup"]}, upstreams=upstreams), progress=pinned)
    assert isinstance(waiting, Wait)
    assert (waiting.state, waiting.fault) == (State.HELD, Fault.SENDER)


def test_an_unknown_outcome_is_held_for_the_time_to_live_of_the_route() -> None:
    path = relay({**BILLING, "expireAfter": 1800})
    waiting = ask(path, progress=Progress(State.HELD, NOW, 3, 3, "backup"))
    assert isinstance(waiting, Wait)
    assert waiting.until == NOW + 1800


def test_each_recipient_has_the_route_of_its_own_and_the_first_that_fits_counts() -> None:
    inside = {"name": "inside", "match": {"recipientDomains": ["*.own.example"]}, "upstreams": ["spare"]}
    of = relay(inside, BILLING)
    to = [Recipient(one, one) for one in ("a@mail.own.example", "b@far.example", "c@own.example")]
    taken = [of.routes.of(Traits(MAIL, b""), one).name for one in to]
    assert taken == ["inside", "billing", "billing"]


def test_several_upstreams_of_one_priority_share_the_mail_of_a_route_by_id() -> None:
    upstreams = [upstream("primary"), upstream("backup", weight=3), upstream("spare", weight=1)]
    of = relay({**BILLING}, upstreams=upstreams)
    found = {ask(of, replace(MAIL, id=f"id{at}")) for at in range(40)}
    assert found == {Send("backup"), Send("spare")}
    assert all(
        ask(of, replace(MAIL, id="id7")) == ask(relay(BILLING, upstreams=upstreams[::-1]), replace(MAIL, id="id7"))
        for _ in range(3)
    )
