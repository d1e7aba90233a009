"""Before the 250: what its route could never send is refused, what it would hold may be deferred, the rest is taken."""

from typing import Any

import pytest
from tests.unit.policy.builders import (
    NOW,
    STRANGER,
    TRUSTED,
    admitted,
    alias,
    aliases,
    incoming,
    refusal,
    running,
    upstream,
)

from mailhaul_relay.model.message import Recipient
from mailhaul_relay.model.outcome import Fault, Reply
from mailhaul_relay.policy.route_admission import defer_held
from mailhaul_relay.policy.routing import Spent, UpstreamView
from mailhaul_relay.policy.running import Running

OTHER = incoming("From: app@other.example\n")
MAIL = incoming("From: app@pay.example\n")
BILLING = {"name": "billing", "match": {"senderDomains": ["pay.example"]}, "upstreams": ["backup"]}
BY_HEADER = {"name": "bulk", "match": {"header": {"name": "X-Bulk"}}, "upstreams": ["backup"]}
HELD = UpstreamView(permits=False, next_attempt=NOW + 60, fault=Fault.AUTH)
DOWN = UpstreamView(permits=False, next_attempt=NOW + 60, fault=Fault.CONNECTION)


def relay(*routes: dict[str, Any], backup: dict[str, Any] | None = None, **changes: Any) -> Running:  # noqa: ANN401
    return running(
        upstreams=[upstream("primary"), upstream("backup", **(backup or {}))], routes=list(routes), **changes
    )


def test_a_from_that_no_upstream_of_its_route_may_send_is_refused_though_another_upstream_may() -> None:
    of = relay(BILLING, backup={"senders": {"domains": ["own.example"]}})
    told = refusal(of, TRUSTED, MAIL)
    assert (told.code, told.enhanced) == (550, "5.7.1")
    assert told.text.startswith("no upstream of route billing may send From domain pay.example; add it to")
    admitted(of, TRUSTED, OTHER)


def test_a_from_that_the_route_may_send_rewritten_is_taken() -> None:
    senders = {"domains": ["own.example"], "rewriteFrom": "relay@own.example"}
    admitted(relay(BILLING, backup={"senders": senders}), TRUSTED, MAIL)


def test_the_header_as_the_client_wrote_it_decides_the_route() -> None:
    of = relay(BY_HEADER, backup={"senders": {"domains": ["own.example"]}})
    assert refusal(of, TRUSTED, incoming("From: app@pay.example\nX-Bulk: yes\n")).enhanced == "5.7.1"
    admitted(of, TRUSTED, MAIL)


def test_one_recipient_whose_route_may_not_send_it_refuses_the_message_for_all() -> None:
    inside = {"name": "inside", "match": {"recipientDomains": ["in.example"]}, "upstreams": ["backup"]}
    of = relay(inside, backup={"senders": {"domains": ["own.example"]}})
    to = [Recipient(one, one) for one in ("a@far.example", "b@in.example")]
    assert "route inside" in refusal(of, TRUSTED, incoming("From: app@pay.example\n", *to)).text
    admitted(of, TRUSTED, incoming("From: app@pay.example\n", to[0]))


def test_a_message_too_large_for_its_route_is_refused_before_the_250() -> None:
    of = relay(BILLING, backup={"behavior": {"maxMessageSize": 20_000}})
    told = refusal(of, TRUSTED, incoming("From: app@pay.example\n", body_size=30_000))
    assert (told.code, told.enhanced) == (552, "5.3.4")
    assert "route billing" in told.text
    admitted(of, TRUSTED, incoming("From: app@other.example\n", body_size=30_000))


def test_a_forward_that_its_route_may_not_carry_is_refused_and_names_the_alias() -> None:
    entries = aliases(alias("sales@own.example", "ann@far.example"), fromRewriting="Never")
    far = {"name": "far", "match": {"recipientDomains": ["far.example"]}, "upstreams": ["backup"]}
    of = relay(far, backup={"behavior": {"foreignFrom": "Refuse"}}, aliases=entries)
    to = Recipient("sales@own.example", "ann@far.example", "shop/alias")
    told = refusal(of, STRANGER, incoming("From: somebody@else.example\n", to))
    assert told.enhanced == "5.7.1"
    assert "UpstreamRefusesForeignFrom: no upstream of route far forwards mail for sales@own.example" in told.text


def test_a_route_without_upstreams_accepts_and_holds_as_such_a_relay_does() -> None:
    admitted(relay({**BILLING, "upstreams": []}), TRUSTED, MAIL)


def deferral(of: Running, mail: Any = MAIL, **views: UpstreamView) -> Reply | None:  # noqa: ANN401 - an Incoming
    taken = admitted(of, TRUSTED, mail)
    return defer_held(of, taken.envelope, taken.head, views, NOW)


DEFERRING = {**BILLING, "onHold": "Defer"}


@pytest.mark.parametrize(
    "view",
    [HELD, UpstreamView(spent=Spent(NOW + 60, "spent")), UpstreamView(refused_senders=frozenset({"pay.example"}))],
)
def test_what_would_be_held_is_deferred_where_the_route_wants_it(view: UpstreamView) -> None:
    of = relay(DEFERRING)
    told = deferral(of, backup=view)
    assert told is not None
    assert (told.code, told.enhanced) == (451, "4.3.2")
    assert told.text.startswith("route billing: ")
    assert told.text.endswith("; come again later")
    assert deferral(relay(BILLING), backup=view) is None


def test_what_time_alone_may_mend_and_what_another_upstream_takes_is_accepted() -> None:
    assert deferral(relay(DEFERRING), backup=DOWN) is None
    assert deferral(relay({**DEFERRING, "upstreams": ["backup", "primary"]}), backup=HELD) is None
    assert deferral(relay(DEFERRING), OTHER, primary=HELD, backup=HELD) is None


def test_a_deferring_route_without_upstreams_defers() -> None:
    told = deferral(relay({**DEFERRING, "upstreams": []}))
    assert told is not None
    assert "route billing has no upstream" in told.text


def test_many_recipients_of_one_route_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("mailhaul_relay.policy.route_admission.route", lambda *errand: asked.append(errand))
    to = [Recipient(f"r{at}@far.example", f"r{at}@far.example") for at in range(100)]
    admitted(relay(BILLING), TRUSTED, incoming("From: app@pay.example\n", *to))
    assert len(asked) == 1


ARCHIVED = {"alwaysBcc": ["all@archive.example"]}
ARCHIVE = {"name": "archive", "match": {"recipientDomains": ["archive.example"]}, "upstreams": ["backup"]}


@pytest.mark.parametrize(
    "backup", [{"senders": {"domains": ["own.example"]}}, {"behavior": {"maxMessageSize": 20_000}}], ids=str
)
def test_what_the_route_of_an_archive_does_not_take_refuses_nobodys_mail(backup: dict[str, Any]) -> None:
    of = relay(ARCHIVE, backup=backup, senders=ARCHIVED)
    taken = admitted(of, TRUSTED, incoming("From: app@pay.example\n", body_size=30_000))
    assert [one.final for one in taken.envelope.recipients] == ["you@far.example", "all@archive.example"]
    to = Recipient("all@archive.example", "all@archive.example")
    told = refusal(of, TRUSTED, incoming("From: app@pay.example\n", to, body_size=30_000))
    assert "route archive" in told.text, "somebody addressed it"


def test_an_archive_whose_route_defers_keeps_nobodys_mail_waiting() -> None:
    of = relay({**ARCHIVE, "onHold": "Defer"}, senders=ARCHIVED)
    assert deferral(of, backup=HELD) is None


SMALL_BUT_MAY_SEND = [
    upstream("primary", behavior={"maxMessageSize": 20_000}),
    upstream("backup", senders={"domains": ["own.example"]}),
]


def test_mail_too_large_for_every_upstream_that_may_send_its_from_is_refused_before_the_250() -> None:
    of = running(upstreams=SMALL_BUT_MAY_SEND)
    told = refusal(of, TRUSTED, incoming("From: app@pay.example\n", body_size=30_000))
    assert (told.code, told.enhanced) == (552, "5.3.4")
    assert "larger than every upstream takes that may send From domain pay.example" in told.text
    admitted(of, TRUSTED, incoming("From: app@pay.example\n", body_size=10_000))
    admitted(of, TRUSTED, incoming("From: app@own.example\n", body_size=30_000))


def test_mail_too_large_for_those_of_its_route_that_may_send_its_from_is_told_so() -> None:
    both = {**BILLING, "upstreams": ["primary", "backup"]}
    of = running(upstreams=SMALL_BUT_MAY_SEND, routes=[both])
    told = refusal(of, TRUSTED, incoming("From: app@pay.example\n", body_size=30_000))
    assert (told.code, told.enhanced) == (552, "5.3.4")
    assert "every upstream of route billing takes that may send From domain pay.example" in told.text


def test_a_forward_too_large_for_every_upstream_that_carries_it_is_refused_before_the_250() -> None:
    entries = aliases(alias("sales@own.example", "ann@far.example"), fromRewriting="Never")
    of = running(upstreams=SMALL_BUT_MAY_SEND, aliases=entries)
    to = Recipient("sales@own.example", "ann@far.example", "shop/alias")
    told = refusal(of, STRANGER, incoming("From: somebody@else.example\n", to, body_size=30_000))
    assert (told.code, told.enhanced) == (552, "5.3.4")
    assert "every upstream takes that forwards mail for sales@own.example" in told.text


def test_mail_that_outgrows_every_upstream_by_what_the_relay_adds_is_refused_before_the_250() -> None:
    of = running(
        upstreams=[upstream("primary", behavior={"maxMessageSize": 60_000})],
        delivery={"redirectTo": "test@own.example"},
    )
    to = [Recipient(f"{'r' * 200}{at}@far.example", f"{'r' * 200}{at}@far.example") for at in range(100)]
    head = "From: app@own.example\n"
    told = refusal(of, TRUSTED, incoming(head, *to, body_size=of.size_limit - 100))
    assert (told.code, told.enhanced) == (552, "5.3.4")
    admitted(of, TRUSTED, incoming(head, to[0], body_size=of.size_limit - 100))
