"""What is written down of a dialogue with an upstream: every line, no credential, no content."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.outgoing import upstream

from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.smtpout.connection import Dialer
from mailhaul_relay.smtpout.recording import KEPT, Recording, Recordings, RecordingWire, recorded
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.telemetry.transcript import MAX_LINES, MAX_TEXT, Side

PASSWORD = b"canary-password"


class Peer(asyncio.Transport):
    """A transport that takes everything."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        del data

    def abort(self) -> None:
        return


@pytest.fixture
async def wire() -> AsyncIterator[RecordingWire]:
    made = RecordingWire(asyncio.get_running_loop(), Outbox(), Recording(VirtualClock()))
    made.connection_made(Peer({"peername": ("192.0.2.1", 25)}))
    made.data_received(b"220 mx.example.net\r\n")
    made.answers.clear()
    yield made
    made.abort()


def _lines(wire: RecordingWire) -> list[str]:
    return [f"{'C' if one.side is Side.CLIENT else 'S'}: {one.text}" for one in wire._recording.lines]


def _answer(wire: RecordingWire, data: bytes) -> None:
    wire.data_received(data)
    wire.answers.clear()


async def test_commands_of_a_pipelined_group_and_answers_of_many_lines_stand_line_by_line(wire: RecordingWire) -> None:
    wire.write(b"EHLO x\r\n", owed=1)
    _answer(wire, b"250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
    wire.write(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n", owed=3)
    _answer(wire, b"250 ok\r\n550 no\r\n554 none\r\n")
    assert _lines(wire) == [
        "C: (connected to 192.0.2.1 port 25)",
        "S: 220 mx.example.net",
        "C: EHLO x",
        "S: 250-mx",
        "S: 250-PIPELINING",
        "S: 250 8BITMIME",
        "C: MAIL FROM:<a@example.com>",
        "C: RCPT TO:<b@example.net>",
        "C: DATA",
        "S: 250 ok",
        "S: 550 no",
        "S: 554 none",
    ]


async def test_content_is_its_size_and_commands_follow_it(wire: RecordingWire) -> None:
    wire.write(b"DATA\r\n", owed=1)
    _answer(wire, b"354 go\r\n")
    wire.write(b"Subject: secret plans\r\n\r\n", owed=1)
    wire.write(memoryview(b"MAIL FROM:<x@example.com>\r\n"))
    wire.write(b".\r\n")
    _answer(wire, b"250 taken\r\n")
    wire.leave(1.0)
    assert _lines(wire)[-4:] == ["S: 354 go", "C: (the message, 55 octets)", "S: 250 taken", "C: QUIT"]


async def test_content_that_was_cut_off_is_told_with_the_reason(wire: RecordingWire) -> None:
    wire.write(b"DATA\r\n", owed=1)
    _answer(wire, b"354 go\r\n")
    wire.write(b"x" * 10, owed=1)
    wire.connection_lost(ConnectionResetError("reset by peer"))
    wire.write(b"QUIT\r\n", owed=1)
    assert _lines(wire)[-2:] == ["C: (the message, 10 octets)", "C: (reset by peer)"]


PLAIN = base64.b64encode(b"\0user-name\0" + PASSWORD)


LOGIN = [b"AUTH LOGIN", base64.b64encode(b"user-name"), base64.b64encode(PASSWORD)]
WAYS = ([b"AUTH PLAIN " + PLAIN], [b"auth plain " + PLAIN], [b"AUTH PLAIN", PLAIN], LOGIN)


@pytest.mark.parametrize(
    ("sent", "form"),
    [(way, form) for way in WAYS for form in (PASSWORD, base64.b64encode(PASSWORD), way[-1].split()[-1])],
)
async def test_no_form_of_a_credential_is_written_down_though_the_other_side_repeats_it(
    wire: RecordingWire, sent: list[bytes], form: bytes
) -> None:
    for index, line in enumerate(sent):
        wire.write(line + b"\r\n", owed=1)
        _answer(wire, b"334 \r\n" if index < len(sent) - 1 else b"535 you said " + form + b"\r\n")
    wire.write(b"NOOP\r\n", owed=1)
    _answer(wire, b"250 still " + form + b"\r\n")
    text = "\n".join(_lines(wire))
    assert form.decode() not in text
    assert PASSWORD.decode() not in text
    assert text.count("C: AUTH ...") == len(sent)
    assert text.endswith("C: NOOP\nS: 250 still ***")


TOKEN = b"user=a@example.com\x01auth=Bearer token-canary-1\x01\x01"


@pytest.mark.parametrize(
    "sent",
    [[b"AUTH XOAUTH2 " + base64.b64encode(TOKEN)], [b"AUTH XOAUTH2", base64.b64encode(TOKEN)]],
    ids=["at once", "after the challenge"],
)
async def test_no_form_of_a_token_is_written_down_though_the_other_side_repeats_it(
    wire: RecordingWire, sent: list[bytes]
) -> None:
    for line in sent:
        wire.write(line + b"\r\n", owed=1)
        _answer(wire, b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n")
    wire.write(b"\r\n", owed=1)
    _answer(wire, b"535 you said token-canary-1, or " + base64.b64encode(TOKEN) + b"\r\n")
    wire.write(b"NOOP\r\n", owed=1)
    text = "\n".join(_lines(wire))
    assert text.count("C: AUTH ...") == len(sent) + 1
    assert text.endswith("S: 535 you said ***, or ***\nC: NOOP")


async def test_a_credential_stays_out_of_the_next_attempt_of_the_same_message(wire: RecordingWire) -> None:
    wire.write(b"AUTH PLAIN " + PLAIN + b"\r\n", owed=1)
    _answer(wire, b"235 ok\r\n")
    again = RecordingWire(asyncio.get_running_loop(), Outbox(), wire._recording)
    again.data_received(b"220 hello " + PASSWORD + b"\r\n")
    assert _lines(again)[-1] == "S: 220 hello ***"


@given(st.lists(st.binary(max_size=600), max_size=20))
def test_a_transcript_is_bounded_and_harmless_on_a_terminal(lines: list[bytes]) -> None:
    recording = Recording(VirtualClock())
    for line in lines * 30:
        recording.hear(line)
    assert len(recording.lines) <= MAX_LINES + 1
    assert all(one.text.isprintable() and len(one.text) <= MAX_TEXT for one in recording.lines)


def test_a_transcript_says_that_lines_are_left_out() -> None:
    recording = Recording(VirtualClock())
    for _ in range(MAX_LINES * 2):
        recording.add(Side.CLIENT, "x")
    assert recording.lines[-1].text == "(further lines are left out)"


def test_the_oldest_recording_makes_room() -> None:
    recordings = Recordings(VirtualClock())
    for number in range(KEPT + 3):
        recordings.mark(str(number))
    assert list(recordings) == [str(number) for number in range(3, KEPT + 3)]


def test_a_connection_that_never_stood_is_told_by_where_it_went() -> None:
    recording = Recording(VirtualClock())
    dialer = Dialer(upstream(2525), "relay.example.com", Timeouts())
    assert recorded(dialer, recording).upstream is dialer.upstream
    assert [one.text for one in recording.lines] == ["(connecting to 127.0.0.1 port 2525)"]
