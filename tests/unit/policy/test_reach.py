"""Rules of a staging relay: mail reaches nobody else, and a redirected message says whom it was for."""

from tests.unit.policy.builders import NOW, TRUSTED, admitted, alias, aliases, incoming, running, spooled, upstream

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.message import Body, Message, Recipient
from mailhaul_relay.model.outcome import Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.admission import admit_recipient
from mailhaul_relay.policy.bounces import bounce
from mailhaul_relay.policy.rewriting import rewrite
from mailhaul_relay.policy.running import Running

STAGING = {"allowed": ["dev.example", "tester@far.example"]}
TEAM = {"redirectTo": "team@dev.example"}


def asked(relay: object, address: str) -> tuple[str, ...] | Reply:
    """Where a trusted client's recipient goes."""
    found = admit_recipient(relay, TRUSTED, Address.parse(address), NOW)  # type: ignore[arg-type]
    return found if isinstance(found, Reply) else tuple(one.final for one in found)


def test_a_recipient_that_is_not_allowed_is_refused_before_the_250() -> None:
    relay = running(delivery=STAGING)
    assert asked(relay, "anybody@dev.example") == ("anybody@dev.example",)
    assert asked(relay, "Tester@FAR.example") == ("Tester@far.example",)
    told = asked(relay, "customer@far.example")
    assert isinstance(told, Reply)
    assert (told.code, told.enhanced) == (550, "5.7.1")
    assert "spec.recipients.allowed" in told.text


def test_an_alias_leads_no_further_than_what_is_allowed() -> None:
    table = aliases(alias("sales@own.example", "customer@far.example"), alias("qa@own.example", "tester@far.example"))
    relay = running(delivery=STAGING, aliases=table)
    assert isinstance(asked(relay, "sales@own.example"), Reply)
    assert asked(relay, "qa@own.example") == ("tester@far.example",)


def test_everything_is_redirected_and_the_head_names_whom_it_was_for() -> None:
    relay = running(delivery={"redirectTo": "team@dev.example"})
    given = [Recipient(one, one) for one in ("a@far.example", "b@far.example")]
    assert asked(relay, "a@far.example") == ("a@far.example",), "refused at RCPT is nobody who can be redirected"
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n", *given))
    assert [one.final for one in taken.envelope.recipients] == ["team@dev.example"]
    assert b"X-Original-To: a@far.example\r\nX-Original-To: b@far.example\r\n" in taken.head


def test_what_is_allowed_is_not_redirected() -> None:
    relay = running(delivery={**STAGING, **TEAM})
    given = [Recipient(one, one) for one in ("tester@far.example", "customer@far.example", "anybody@dev.example")]
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n", *given))
    finals = [one.final for one in taken.envelope.recipients]
    assert finals == ["tester@far.example", "team@dev.example", "anybody@dev.example"]
    assert taken.head.count(b"X-Original-To") == 1


def test_only_the_mailbox_that_stands_in_reads_whom_a_mail_was_for() -> None:
    """They may be in no header of the mail: who was in Bcc is nobody else's business."""
    senders = {"alwaysBcc": ["archive@own.example"]}
    relay = running(delivery={**STAGING, **TEAM}, senders=senders, upstreams=[upstream("up")])
    given = [Recipient(one, one) for one in ("tester@far.example", "blind@far.example", "b@far.example")]
    written = "From: a@own.example\nX-Original-To: kept@own.example\n"
    taken = admitted(relay, TRUSTED, incoming(written, *given))
    message = Message(taken.envelope, taken.head, Body(2, b"\r\n"))
    heads = {one.final: _left(relay, message, one) for one in taken.envelope.recipients}
    told = b"X-Original-To: blind@far.example\r\nX-Original-To: b@far.example\r\n"
    assert heads["team@dev.example"] == taken.head
    assert told in taken.head
    assert heads["tester@far.example"] == heads["archive@own.example"] == taken.head.replace(told, b"")
    assert heads["tester@far.example"].count(b"X-Original-To: kept@own.example") == 1


def test_a_mail_that_nobody_is_redirected_of_keeps_its_bytes() -> None:
    relay = running(delivery={**STAGING, **TEAM}, upstreams=[upstream("up")])
    tester = Recipient("tester@far.example", "tester@far.example")
    taken = admitted(relay, TRUSTED, incoming("X-Original-To: own@far.example\nFrom: a@own.example\n", tester))
    message = Message(taken.envelope, taken.head, Body(2, b"\r\n"))
    assert _left(relay, message, tester) == taken.head


def _left(relay: Running, message: Message, recipient: Recipient) -> bytes:
    """The head as it leaves for a recipient."""
    way = relay.upstream("up")
    assert way is not None
    return rewrite(relay, way, message, recipient, NOW).head


def test_the_archive_is_not_redirected() -> None:
    relay = running(delivery=TEAM, senders={"alwaysBcc": ["archive@own.example"]})
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n"))
    assert [one.final for one in taken.envelope.recipients] == ["team@dev.example", "archive@own.example"]


def test_a_report_of_the_relays_own_stays_within_reach() -> None:
    failed = {0: Outcome(Verdict.FAILED, Stage.RCPT, reply=Reply(550, "5.1.1", "no"))}
    message = spooled("From: a@own.example\n", sender="customer@far.example")
    send = {"mode": "Send"}
    assert bounce(running(delivery=STAGING, bounces=send), message, failed, "b1", NOW) is None
    report = bounce(running(delivery=TEAM, bounces=send), message, failed, "b1", NOW)
    assert report is not None
    assert report.envelope.recipients[0].final == "team@dev.example"


def test_nobody_is_told_that_the_archive_refused() -> None:
    message = spooled("From: a@own.example\n", Recipient("", "archive@own.example"))
    failed = {0: Outcome(Verdict.FAILED, Stage.RCPT, reply=Reply(550, "5.1.1", "no"))}
    assert bounce(running(bounces={"mode": "Send"}), message, failed, "b1", NOW) is None


def test_an_own_alias_that_stands_in_is_followed_for_sent_out_it_would_come_back_or_vanish() -> None:
    table = aliases(
        alias("qa@own.example", "ann@dev.example", "bob@dev.example"), alias("a@own.example", "x@far.example")
    )
    relay = running(delivery={"redirectTo": "qa@own.example", "allowed": ["tester@far.example"]}, aliases=table)
    given = [Recipient(one, one) for one in ("c@far.example", "tester@far.example", "d@far.example")]
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n", *given))
    finals = [one.final for one in taken.envelope.recipients]
    assert finals == ["ann@dev.example", "bob@dev.example", "tester@far.example"]
    message = Message(taken.envelope, taken.head, Body(0, b""))
    named = {
        to.final: rewrite(relay, relay.candidates[0], message, to, NOW).head.count(b"X-Original-To")
        for to in taken.envelope.recipients
    }
    assert named == {"ann@dev.example": 2, "bob@dev.example": 2, "tester@far.example": 0}
    assert asked(relay, "a@own.example") == ("x@far.example",)


def test_an_alias_that_leads_in_a_circle_stands_in_as_it_is_and_keeps_no_configuration_from_running() -> None:
    relay = running(
        delivery={"redirectTo": "qa@own.example"}, aliases=aliases(alias("qa@own.example", "qa@own.example"))
    )
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n"))
    assert [one.final for one in taken.envelope.recipients] == ["qa@own.example"]
