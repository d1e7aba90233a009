"""Who may address whom: a relay that is never open, and says what to change."""

import pytest
from tests.unit.policy.builders import NOW, STRANGER, TRUSTED, alias, aliases, running, upstream

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.message import Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import admit_recipient, admit_sender
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source

LOST = Source("10.9.0.1", trusted=False, identity_lost=True)
SALES = alias("sales@own.example", "ann@far.example", "bob@far.example")
LOOP = alias("loop@own.example", "loop@own.example")
FULL = running(aliases=aliases(SALES, LOOP, srs=True), postmaster="ops@far.example")


def ask(relay: Running, source: Source, address: str) -> tuple[str, ...] | Reply:
    recipient = Address("postmaster", "") if address == "postmaster" else Address.parse(address)
    admitted = admit_recipient(relay, source, recipient, NOW)
    return admitted if isinstance(admitted, Reply) else tuple(one.final for one in admitted)


def code(relay: Running, source: Source, address: str) -> str:
    answer = ask(relay, source, address)
    return f"{answer.code} {answer.enhanced}" if isinstance(answer, Reply) else "250"


@pytest.mark.parametrize(
    ("address", "stranger", "trusted"),
    [
        ("you@far.example", "550 5.7.1", "250"),
        ("you@[192.0.2.1]", "550 5.7.1", "250"),
        ("sales@own.example", "250", "250"),
        ("SALES@own.example", "250", "250"),
        ("sales+x@own.example", "550 5.1.1", "550 5.1.1"),
        ("unknown@own.example", "550 5.1.1", "550 5.1.1"),
        ("loop@own.example", "554 5.4.6", "554 5.4.6"),
        ("SRS0=AAAA=AA=far.example=x@own.example", "550 5.1.1", "550 5.1.1"),
        ("postmaster", "250", "250"),
        ("Postmaster@own.example", "250", "250"),
        ("postmaster@relay.own.example", "250", "250"),
        ("postmaster@far.example", "550 5.7.1", "250"),
        ("you@sub.own.example", "550 5.7.1", "250"),
    ],
)
def test_matrix_of_sources_and_recipients(address: str, stranger: str, trusted: str) -> None:
    assert code(FULL, STRANGER, address) == code(FULL, LOST, address) == stranger
    assert code(FULL, TRUSTED, address) == trusted


@pytest.mark.parametrize("address", ["you@far.example", "a@own.example", "postmaster", "postmaster@relay.own.example"])
def test_a_relay_without_aliases_and_networks_takes_nothing_from_strangers(address: str) -> None:
    assert code(running(clients={}), STRANGER, address).startswith("550")


def test_alias_keeps_original_and_final() -> None:
    assert admit_recipient(FULL, STRANGER, Address.parse("sales@own.example"), NOW) == (
        Recipient("sales@own.example", "ann@far.example", "shop/alias"),
        Recipient("sales@own.example", "bob@far.example", "shop/alias"),
    )


def test_returned_bounce_finds_its_way_back_from_a_stranger() -> None:
    assert FULL.srs
    signed = FULL.srs.forward("ann@far.example", NOW)
    assert admit_recipient(FULL, STRANGER, Address.parse(signed), NOW) == (Recipient(signed, "ann@far.example"),)


def test_postmaster_may_be_an_alias_and_lead_to_one() -> None:
    owned = running(aliases=aliases(alias("postmaster@own.example", "x@far.example")), postmaster="ops@far.example")
    assert ask(owned, STRANGER, "postmaster@own.example") == ("x@far.example",)
    leads = running(aliases=aliases(alias("ops@own.example", "x@far.example")), postmaster="ops@own.example")
    assert ask(leads, STRANGER, "postmaster") == ("x@far.example",)
    assert admit_recipient(leads, STRANGER, Address("postmaster", ""), NOW) == (
        Recipient("postmaster@relay.own.example", "x@far.example"),
    )


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ({"senders": {"domains": ["mine.example", "other.example"]}}, "postmaster@mine.example"),
        (
            {"upstreams": [upstream("one"), upstream("two", senders={"domains": ["two.example"]})]},
            "postmaster@two.example",
        ),
        (
            {"senders": {"domains": ["own.example", "mine.example"]}, "aliases": aliases(SALES)},
            "postmaster@mine.example",
        ),
    ],
    ids=["of-the-relay", "of-an-upstream", "not-an-own-domain"],
)
def test_without_a_configured_postmaster_a_trusted_client_reaches_that_of_the_first_sender_domain(
    relay: dict[str, object], expected: str
) -> None:
    assert ask(running(**relay), TRUSTED, "postmaster") == (expected,)
    assert code(running(**relay), STRANGER, "postmaster") == "550 5.7.1"


def test_without_a_configured_postmaster_an_alias_is_one_for_everybody() -> None:
    entry = alias("postmaster@own.example", "ann@far.example")
    relay = running(aliases=aliases(entry), senders={"domains": ["mine.example"]})
    assert ask(relay, STRANGER, "postmaster") == ask(relay, TRUSTED, "postmaster") == ("ann@far.example",)


def test_a_configured_postmaster_goes_before_what_could_be_one() -> None:
    relay = running(senders={"domains": ["mine.example"]}, postmaster="ops@far.example")
    assert ask(relay, TRUSTED, "postmaster") == ("ops@far.example",)


def test_an_alias_of_postmaster_that_leads_to_itself_is_a_loop() -> None:
    relay = running(aliases=aliases(alias("postmaster@own.example", "postmaster@own.example")))
    assert code(relay, STRANGER, "postmaster") == "554 5.4.6"


def test_a_postmaster_that_nothing_tells_of_is_refused() -> None:
    assert code(running(), TRUSTED, "postmaster") == "550 5.1.1"
    assert (
        code(running(senders={"domains": ["own.example"]}, aliases=aliases(SALES)), TRUSTED, "postmaster")
        == "550 5.1.1"
    )


def test_refusals_name_the_remedy() -> None:
    denied = ask(FULL, STRANGER, "you@far.example")
    assert isinstance(denied, Reply)
    assert "203.0.113.9" in denied.text
    assert "spec.clients.allowedNetworks" in denied.text
    lost = ask(FULL, LOST, "you@far.example")
    assert isinstance(lost, Reply)
    assert "node or mesh address" in lost.text
    assert "MailAlias" in str(ask(FULL, TRUSTED, "jürgen@own.example"))
    assert str(ask(FULL, TRUSTED, "jürgen@own.example")).isascii()


@pytest.mark.parametrize(
    ("behavior", "senders", "rewriting", "expected"),
    [
        ("Keep", {}, "Never", "250"),
        ("Replace", {}, "Never", "550 5.7.1"),
        ("Refuse", {}, "Never", "550 5.7.1"),
        ("Keep", {"domains": ["mine.example"]}, "Never", "550 5.7.1"),
        ("Refuse", {}, "Automatic", "250"),
        ("Refuse", {"domains": ["own.example"]}, "Automatic", "250"),
        ("Refuse", {"domains": ["mine.example"]}, "Automatic", "550 5.7.1"),
        ("Refuse", {"domains": ["mine.example"], "rewriteFrom": "fwd@mine.example"}, "Automatic", "250"),
    ],
)
def test_alias_is_refused_when_no_upstream_would_carry_a_forward(
    behavior: str, senders: dict[str, object], rewriting: str, expected: str
) -> None:
    relay = running(
        upstreams=[upstream("one", behavior={"foreignFrom": behavior}, senders=senders)],
        aliases=aliases(SALES, fromRewriting=rewriting),
    )
    assert code(relay, STRANGER, "sales@own.example") == expected
    assert code(relay, TRUSTED, "sales@own.example") == "250"
    if expected != "250":
        assert "UpstreamRefusesForeignFrom" in str(ask(relay, STRANGER, "sales@own.example"))


def test_a_relay_without_upstreams_accepts_and_holds() -> None:
    relay = running(upstreams=[], aliases=aliases(SALES, fromRewriting="Never"))
    assert code(relay, STRANGER, "sales@own.example") == "250"
    assert code(relay, TRUSTED, "you@far.example") == "250"


def test_declared_size_is_judged_at_mail() -> None:
    limit = FULL.size_limit
    assert admit_sender(FULL, STRANGER, None, limit) is None
    answer = admit_sender(FULL, TRUSTED, Address.parse("a@own.example"), limit + 1)
    assert answer
    assert (answer.code, answer.enhanced) == (552, "5.3.4")
    assert str(limit) in answer.text


def test_a_bounce_by_srs_goes_to_the_author_also_where_a_catch_all_owns_the_domain() -> None:
    relay = running(aliases=aliases(alias("*@own.example", "rest@far.example", type="CatchAll"), srs=True))
    assert relay.srs
    signed = relay.srs.forward("zoe@else.example", NOW)
    assert ask(relay, STRANGER, signed) == ("zoe@else.example",)
    assert ask(relay, STRANGER, "SRS0=AAAA=AA=else.example=zoe@own.example") == ("rest@far.example",)


@pytest.mark.parametrize("source", [STRANGER, TRUSTED])
def test_a_bounce_of_a_forwarded_bounce_is_refused_whatever_alias_there_is(source: Source) -> None:
    relay = running(
        aliases=aliases(
            alias("*@own.example", "ann@far.example", type="CatchAll"), alias("no-bounces@own.example", "b@far.example")
        )
    )
    address = Address.parse("No-Bounces@own.example")
    refused = admit_recipient(relay, source, address, NOW, is_bounce=True)
    assert isinstance(refused, Reply)
    assert (refused.code, refused.enhanced) == (550, "5.1.1")
    assert not isinstance(admit_recipient(relay, source, address, NOW), Reply)
    assert not isinstance(admit_recipient(relay, source, Address.parse("x@own.example"), NOW, is_bounce=True), Reply)
