"""Which route a recipient of a message takes: the first that fits with all of its conditions; claims count for none."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.builders import NOW, running, upstream

from mailhaul_relay.model.message import Envelope, Origin, Recipient
from mailhaul_relay.policy.headers import Field, parse_head
from mailhaul_relay.policy.route_match import Traits
from mailhaul_relay.policy.routes import Routes

YOU = Recipient("you@far.example", "you@far.example")
MAIL = Envelope(
    "id1", "app@own.example", (YOU,), "own.example", Origin.SUBMISSION, NOW, 500, client="10.1.2.3", account="billing"
)
HEAD = (
    b"From: app@own.example\r\nX-Class: Invoice 2026\r\nX-Class: second\r\nX-Folded: one\r\n two\r\n"
    b"X-Empty:\r\nSubject: =?utf-8?B?UmVjaG51bmcgR3LDtsOfZQ==?=\r\nX-Raw: caf\xe9\r\n\r\n"
)


def table(*matches: dict[str, Any]) -> Routes:
    """Routes named r0, r1, ... with these matches."""
    routes = [{"name": f"r{at}", "match": match, "upstreams": ["primary"]} for at, match in enumerate(matches)]
    return Routes.build(running(upstreams=[upstream("primary")], routes=routes).config)


def fits(match: dict[str, Any], mail: Envelope = MAIL, recipient: Recipient = YOU, head: bytes = HEAD) -> bool:
    return table(match).of(Traits(mail, head), recipient).name == "r0"


@pytest.mark.parametrize(
    ("match", "fitting"),
    [
        ({}, True),
        ({"senderDomains": ["own.example"]}, True),
        ({"senderDomains": ["OWN.Example"]}, True),
        ({"senderDomains": ["other.example", "own.example"]}, True),
        ({"senderDomains": ["other.example"]}, False),
        ({"senderDomains": ["*.own.example"]}, False),
        ({"senderDomains": ["*.example"]}, True),
        ({"recipientDomains": ["far.example"]}, True),
        ({"recipientDomains": ["*.far.example", "own.example"]}, False),
        ({"accounts": ["billing"]}, True),
        ({"accounts": ["Billing"]}, False),
        ({"clientNetworks": ["192.168.0.0/16", "10.1.0.0/16"]}, True),
        ({"clientNetworks": ["10.2.0.0/16", "fd00::/8"]}, False),
        ({"header": {"name": "x-class"}}, True),
        ({"header": {"name": "X-Empty"}}, True),
        ({"header": {"name": "X-Absent"}}, False),
        ({"header": {"name": "X-Class", "value": "invoice*"}}, True),
        ({"header": {"name": "X-Class", "value": "*2026"}}, True),
        ({"header": {"name": "X-Class", "value": "*nv*ce*2*6"}}, True),
        ({"header": {"name": "X-Class", "value": "Invoice"}}, False),
        ({"header": {"name": "X-Class", "value": "second"}}, True),
        ({"header": {"name": "X-Class", "value": "in.oice*"}}, False),
        ({"header": {"name": "X-Class", "contains": "VOICE"}}, True),
        ({"header": {"name": "X-Class", "contains": "v*e"}}, False),
        ({"header": {"name": "X-Folded", "value": "one two"}}, True),
        ({"header": {"name": "Subject", "contains": "größe"}}, True),
        ({"header": {"name": "X-Raw", "value": "caf*"}}, True),
        ({"senderDomains": ["own.example"], "recipientDomains": ["other.example"]}, False),
        ({"senderDomains": ["own.example"], "accounts": ["billing"], "header": {"name": "X-Class"}}, True),
    ],
)
def test_a_route_takes_what_fits_all_of_its_conditions(match: dict[str, Any], fitting: bool) -> None:
    assert fits(match) is fitting


@pytest.mark.parametrize("below", ["a.own.example", "a.b.own.example"])
def test_a_star_stands_for_every_domain_below_and_not_for_the_domain_itself(below: str) -> None:
    star = {"senderDomains": ["*.own.example"]}
    assert fits(star, replace(MAIL, from_domain=below))
    assert not fits(star, replace(MAIL, from_domain="own.example"))
    assert not fits(star, replace(MAIL, from_domain=f"un{below.rpartition('.own')[0]}own.example"))


def test_the_authors_domain_counts_and_the_envelopes_only_where_there_is_no_author() -> None:
    match = {"senderDomains": ["own.example"]}
    assert not fits(match, replace(MAIL, from_domain="other.example"))
    assert fits(match, replace(MAIL, from_domain=""))
    assert not fits(match, replace(MAIL, from_domain="", sender=""))


def test_an_alias_is_followed_where_the_recipient_counts() -> None:
    to = Recipient("sales@own.example", "ann@far.example", "shop/sales")
    assert fits({"recipientDomains": ["far.example"]}, recipient=to)
    assert not fits({"recipientDomains": ["own.example"]}, recipient=to)


@pytest.mark.parametrize(
    ("match", "believed"),
    [
        ({"senderDomains": ["own.example"]}, False),
        ({"header": {"name": "X-Class"}}, False),
        ({"recipientDomains": ["far.example"], "header": {"name": "X-Class"}}, False),
        ({"recipientDomains": ["far.example"]}, True),
        ({"clientNetworks": ["10.0.0.0/8"]}, True),
        ({}, True),
    ],
)
def test_what_a_stranger_claims_in_from_or_header_opens_no_route(match: dict[str, Any], believed: bool) -> None:
    assert fits(match, replace(MAIL, origin=Origin.INBOUND, account="")) is believed


def test_the_relays_own_mail_has_no_client_and_no_account() -> None:
    bounce = replace(MAIL, origin=Origin.BOUNCE, sender="", client="", account="")
    assert not fits({"clientNetworks": ["0.0.0.0/0"]}, bounce)
    assert not fits({"accounts": ["billing"]}, bounce)
    assert fits({"senderDomains": ["own.example"]}, bounce)


def test_the_header_is_parsed_once_and_only_when_a_route_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def counted(head: bytes) -> tuple[Field, ...]:
        parsed.append(head)
        return parse_head(head)

    monkeypatch.setattr("mailhaul_relay.policy.route_match.parse_head", counted)
    plain = table({"senderDomains": ["a.example"]}, {"recipientDomains": ["b.example"]})
    plain.of(Traits(MAIL, HEAD), YOU)
    assert parsed == []
    asking = table({"header": {"name": "X-A"}}, {"header": {"name": "X-B"}})
    traits = Traits(MAIL, HEAD)
    for _ in range(3):
        asking.of(traits, YOU)
    assert len(parsed) == 1
    sparing = table({"senderDomains": ["a.example"], "header": {"name": "X-A"}})
    sparing.of(Traits(MAIL, HEAD), YOU)
    assert len(parsed) == 1


def test_a_head_that_cannot_be_parsed_has_no_fields() -> None:
    assert not fits({"header": {"name": "X-Class"}}, head=b"X-Class: a\r\nno field\r\n\r\n")


@given(st.text(max_size=60), st.text(max_size=60))
def test_only_the_star_of_a_value_is_special(value: str, said: str) -> None:
    value, said = (" ".join(one.encode("ascii", "ignore").decode().split()) for one in (value, said))
    printable = "".join(one for one in said if one.isprintable())
    head = f"X-A: {printable}\r\n\r\n".encode()
    if value and "*" not in value:
        assert fits({"header": {"name": "X-A", "value": value}}, head=head) is (value.lower() == printable.lower())
    if value:
        assert fits({"header": {"name": "X-A", "contains": value}}, head=head) is (value.lower() in printable.lower())


_DOMAINS = st.sampled_from(["a.example", "b.example", "c.b.example", "own.example"])
_MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "senderDomains": st.lists(_DOMAINS | st.just("*.b.example"), min_size=1, max_size=3),
        "recipientDomains": st.lists(_DOMAINS, min_size=1, max_size=3),
        "accounts": st.lists(st.sampled_from(["billing", "news"]), min_size=1, max_size=2),
        "clientNetworks": st.lists(st.sampled_from(["10.0.0.0/8", "192.168.0.0/16"]), min_size=1, max_size=2),
    },
)


@given(st.lists(_MATCHES, max_size=6), _DOMAINS, _DOMAINS, st.sampled_from(["", "billing", "news"]))
def test_the_first_route_that_fits_alone_is_the_one(
    matches: list[dict[str, Any]], author: str, to: str, account: str
) -> None:
    mail, recipient = replace(MAIL, from_domain=author, account=account), Recipient(f"x@{to}", f"x@{to}")
    alone = [at for at, match in enumerate(matches) if fits(match, mail, recipient)]
    taken = table(*matches).of(Traits(mail, HEAD), recipient)
    assert taken.name == (f"r{alone[0]}" if alone else "")
