"""A transmission is fitted to what a connection offers: nothing that was not offered is ever sent."""

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.transmission import Transmission
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.content import BodyError
from mailhaul_relay.smtpout.preparation import MAX_CONVERTED, Prepared, prepare

ALL = Capabilities(pipelining=True, eight_bit=True, utf8=True, size=0)
HEAD = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"


def message(body: bytes = b"x\r\n", head: bytes = HEAD, **fields: object) -> Transmission:
    values = {"sender": "app@example.com", "eight_bit": not body.isascii(), "utf8": False, **fields}
    return Transmission(
        "id", str(values["sender"]), ("b@example.net",), head, Body(len(body), body), "example.com",
        bool(values["eight_bit"]), bool(values["utf8"]),
    )  # fmt: skip


def prepared(given: Transmission, offered: Capabilities, *recipients: str) -> Prepared:
    result = prepare(given, recipients or given.recipients, offered)
    assert isinstance(result, Prepared)
    return result


def refusal(given: Transmission, offered: Capabilities, *recipients: str) -> Outcome:
    result = prepare(given, recipients or given.recipients, offered)
    assert isinstance(result, Outcome)
    return result


def test_commands_are_bare_where_nothing_is_offered() -> None:
    result = prepared(message(), Capabilities())
    assert result.mail == b"MAIL FROM:<app@example.com>\r\n"
    assert result.recipients == (b"RCPT TO:<b@example.net>\r\n",)


def test_everything_offered_and_needed_is_used() -> None:
    result = prepared(message("ö\r\n".encode()), ALL, "ä@example.net")
    size = len(HEAD) + 4
    assert result.mail == f"MAIL FROM:<app@example.com> SIZE={size} BODY=8BITMIME SMTPUTF8\r\n".encode()
    assert result.recipients == ("RCPT TO:<ä@example.net>\r\n".encode(),)


def test_an_offered_size_of_zero_is_no_limit() -> None:
    assert prepared(message(b"x" * 10_000), Capabilities(size=0)).mail.endswith(b" SIZE=10062\r\n")


def test_a_message_over_the_offered_size_goes_elsewhere() -> None:
    outcome = refusal(message(b"x" * 2000), Capabilities(size=1999))
    assert (outcome.verdict, outcome.fault, outcome.stage, outcome.retry_elsewhere) == (
        Verdict.FAILED,
        Fault.SIZE,
        Stage.RELAY,
        True,
    )


def test_smtputf8_is_asked_for_an_address_or_a_declared_header_that_needs_it() -> None:
    assert b"SMTPUTF8" not in prepared(message(utf8=True), ALL).mail
    assert b"SMTPUTF8" in prepared(message(head="Subject: ö\r\n\r\n".encode(), utf8=True), ALL).mail
    assert b"SMTPUTF8" in prepared(message(sender="ö@example.com"), ALL).mail


def test_smtputf8_without_8bitmime_is_not_used() -> None:
    outcome = refusal(message(head="Subject: ö\r\n\r\n".encode(), utf8=True), Capabilities(utf8=True))
    assert outcome.fault is Fault.CAPABILITY


@pytest.mark.parametrize(
    "offered", [ALL, Capabilities(eight_bit=True), Capabilities()], ids=["all", "8bitmime", "none"]
)
@pytest.mark.parametrize("head", ["Subject: ö\r\n\r\n".encode(), b"Subject: \xf6\r\n\r\n"], ids=["utf-8", "latin-1"])
def test_a_header_with_undeclared_8bit_characters_is_sent_as_it_is(head: bytes, offered: Capabilities) -> None:
    result = prepared(message(head=head, eight_bit=True), offered)
    assert result.head == head
    assert b"SMTPUTF8" not in result.mail
    assert (b"BODY=8BITMIME" in result.mail) is offered.eight_bit


def test_an_8bit_body_is_converted_and_its_new_size_told() -> None:
    result = prepared(message("schön\r\n".encode()), Capabilities(size=0))
    assert result.body.data is not None
    assert result.body.data.isascii()
    assert result.mail.endswith(f" SIZE={len(result.head) + len(result.body.data)}\r\n".encode())
    assert b"8BITMIME" not in result.mail


def test_a_huge_8bit_body_is_not_read_into_memory() -> None:
    huge = Transmission("id", "", ("b@example.net",), HEAD, Body(MAX_CONVERTED + 1, b"\xff"), eight_bit=True)
    assert refusal(huge, Capabilities()).fault is Fault.CAPABILITY


def test_a_body_that_cannot_be_read_is_told_apart() -> None:
    gone = Transmission("id", "", ("b@example.net",), HEAD, Body(10, path=PurePath("/nowhere/b")), eight_bit=True)
    with pytest.raises(BodyError):
        prepare(gone, gone.recipients, Capabilities())


def test_a_body_that_is_not_whole_is_not_converted_and_sent(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes("schö".encode())
    cut = Transmission("id", "", ("b@example.net",), HEAD, Body(8, path=path), eight_bit=True)
    with pytest.raises(BodyError):
        prepare(cut, cut.recipients, Capabilities())


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


@given(ANY_TEXT, ANY_TEXT)
def test_no_address_can_add_a_command(sender: str, recipient: str) -> None:
    result = prepare(message(sender=sender), (recipient,), ALL)
    if isinstance(result, Prepared):
        for command in (result.mail, *result.recipients):
            assert command.count(b"\n") == 1
            assert command.count(b"\r") == 1
            assert b"\0" not in command
