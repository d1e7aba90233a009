"""The capture transport: delivered means stored, and what is stored is the message as a recipient would get it."""

import asyncio
from pathlib import Path

import pytest

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Stage, Verdict
from mailhaul_relay.model.transmission import Transmission
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.smtpout.capture import CaptureTransport
from mailhaul_relay.smtpout.inbox import Captured, Inbox


def _transmission(head: bytes = b"Subject: hi\r\n\r\n", body: Body | None = None) -> Transmission:
    return Transmission(
        "01habc", "a@example.com", ("b@example.net", "c@example.net"), head, body or Body(7, b"hello\r\n")
    )


async def _stored(inbox: Inbox, transmission: Transmission) -> tuple[Captured, bytes]:
    await CaptureTransport(inbox, "catch", VirtualClock(5.0)).deliver(transmission)
    (captured,) = await inbox.list()
    loaded = await inbox.load(captured.key)
    assert loaded
    await inbox.close()
    return loaded


async def test_every_recipient_is_delivered_with_a_reply_that_names_the_id(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    delivery = await CaptureTransport(inbox).deliver(_transmission())
    assert [str(one.reply) for one in delivery.outcomes] == ["250 2.0.0 captured as 01habc"] * 2
    assert {one.verdict for one in delivery.outcomes} == {Verdict.DELIVERED}
    assert delivery.endpoint == "inbox"
    await inbox.close()


async def test_envelope_and_bytes_are_kept(tmp_path: Path) -> None:
    captured, content = await _stored(Inbox(tmp_path), _transmission())
    assert (captured.sender, captured.recipients) == ("a@example.com", ("b@example.net", "c@example.net"))
    assert (captured.time, captured.upstream, captured.subject) == (5.0, "catch", "hi")
    assert content == b"Subject: hi\r\n\r\nhello\r\n"


async def test_stuffed_dots_are_taken_out(tmp_path: Path) -> None:
    body = b"..\r\n...two\r\nin..side\r\n..\r\n"
    _, content = await _stored(Inbox(tmp_path), _transmission(b"..odd: head\r\n\r\n", Body(len(body), body)))
    assert content == b".odd: head\r\n\r\n.\r\n..two\r\nin..side\r\n.\r\n"


async def test_a_body_in_a_file_is_read_from_it(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"..large\r\n")
    _, content = await _stored(Inbox(tmp_path), _transmission(body=Body(9, path=path)))
    assert content.endswith(b"\r\n.large\r\n")


@pytest.mark.parametrize(
    ("head", "subject"),
    [
        (b"SUBJECT:  spaced \r\n\r\n", "spaced"),
        (b"From: a\r\nSubject: folded\r\n over lines\r\nTo: b\r\n\r\n", "folded over lines"),
        (b"From: a\r\n\r\n", ""),
        (b"X-Subject: no\r\n\r\n", ""),
        (b"Subject: \xff\xfe\r\n\r\n", "\ufffd\ufffd"),
        (b"Subject: " + b"a" * 5000 + b"\r\n\r\n", "a" * 1000),
    ],
)
async def test_the_subject_is_found_bounded(tmp_path: Path, head: bytes, subject: str) -> None:
    captured, _ = await _stored(Inbox(tmp_path), _transmission(head))
    assert captured.subject == subject


async def test_what_cannot_be_stored_is_retried(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "missing")
    delivery = await CaptureTransport(inbox).deliver(_transmission())
    assert [(one.verdict, one.stage, one.fault) for one in delivery.outcomes] == [
        (Verdict.RETRY, Stage.RELAY, Fault.TRANSIENT)
    ] * 2
    assert str(tmp_path) not in repr(delivery)
    await inbox.close()


async def test_a_cancelled_delivery_still_tells_what_was_stored(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    delivering = asyncio.ensure_future(CaptureTransport(inbox).deliver(_transmission()))
    await asyncio.sleep(0)
    delivering.cancel()
    delivery = await delivering
    assert delivery.outcomes[0].verdict is Verdict.DELIVERED
    assert len(await inbox.list()) == 1
    await inbox.close()
