"""Messages and spools for the tests of this folder: short to write, different only where a test says so."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Progress, Recipient, State
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.spool.interface import Spool
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.log import Log

NOW = 1_700_000_000.0
SMALL = Settings(body_in_file=1000, body_memory=4000, reserve=0)
HEAD = b"Subject: test\r\n\r\n"


def message(
    name: str, *progress: Progress, accepted: float = NOW, body: Body | bytes = b"hello\r\n", recipients: int = 1
) -> Message:
    """Make a message with one recipient for each progress given, else so many untried ones."""
    count = len(progress) or recipients
    made = body if isinstance(body, Body) else Body(len(body), body)
    envelope = Envelope(
        id=name,
        sender="app@example.org",
        recipients=tuple(Recipient(f"to{i}@example.net", f"final{i}@example.com", "mail/alias") for i in range(count)),
        from_domain="example.org",
        origin=Origin.INBOUND,
        accepted=accepted,
        size=len(HEAD) + made.size,
        client="10.0.0.7",
        eight_bit=True,
        utf8=False,
    )
    return Message(envelope, HEAD, made, progress)


def at(state: State, due: float = 0.0) -> Progress:
    """Make a recipient's progress."""
    return Progress(state, due)


def received(spool: Spool, *pieces: bytes) -> Body:
    """Receive a body through the spool's own writer."""
    writer = spool.new_body()
    for piece in pieces:
        writer.write(piece)
    body = writer.finish()
    if body.path is None:
        writer.discard()
    return body


def content(body: Body) -> bytes:
    """Give a body's bytes, wherever they are."""
    if body.path is None:
        assert body.data is not None
        return body.data
    assert body.data is None
    return Path(body.path).read_bytes()


class Lines:
    """Catches log lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.log = Log(self.lines.append, VirtualClock())

    def count(self, event: str) -> int:
        return sum(json.loads(line)["event"] == event for line in self.lines)


@asynccontextmanager
async def opened(directory: Path, settings: Settings = SMALL, lines: Lines | None = None) -> AsyncIterator[SqliteSpool]:
    """Open a spool, and close it at the end."""
    spool = await SqliteSpool.open(directory, (lines or Lines()).log, VirtualClock(NOW), settings)
    try:
        yield spool
    finally:
        await spool.close()
