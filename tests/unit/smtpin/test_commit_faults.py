"""A commit that fails after the body was written: the client is told of the storage, not of an error of ours."""

import asyncio
import errno

import pytest
from tests.support.listening import Bench, Wire
from tests.support.memory_spool import MemoryBody

from mailhaul_relay.spool.interface import SpoolError

MAIL = b"MAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
CONTENT = b"From: app@example.com\r\n\r\ntext\r\n"


async def end(wire: Wire) -> bytes:
    """Send the final dot; give what is said after the commit."""
    said = wire.send(b".\r\n")
    for _ in range(5):
        await asyncio.sleep(0)
    return said + wire.take()


async def test_a_commit_that_fails_is_told_as_what_it_is_and_the_next_mail_is_taken() -> None:
    bench = Bench()
    wire = bench.connect()
    wire.send(b"EHLO x\r\n" + MAIL)
    wire.send(CONTENT)
    bench.spool.broken = SpoolError("no space left on device", full=True)
    assert (await end(wire)).startswith(b"452 4.3.1 No storage left")
    assert bench.tally.handler_errors == 0
    bench.spool.broken = None
    wire.send(MAIL + CONTENT)
    assert b"250 2.0.0 Ok: queued" in await end(wire)
    wire.close()


class Unforgettable(MemoryBody):
    """A body whose file cannot be closed, as on a network volume that tells only then that it is full."""

    def discard(self) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")


async def test_a_body_that_cannot_be_closed_keeps_no_place_of_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr(bench.spool, "new_body", lambda: Unforgettable(bench.spool))
    for _ in range(3):
        wire = bench.connect()
        wire.send(b"EHLO x\r\n" + MAIL + CONTENT + b"more\r\n")
        wire.close()
        assert bench.tally.sessions_open == 0
    assert bench.gate.enter("127.0.0.1", bench.intake.current.config.limits.model_copy(update={"connections": 1})) == ""


async def test_a_body_that_cannot_be_closed_is_no_cause_to_answer_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    monkeypatch.setattr(bench.spool, "new_body", lambda: Unforgettable(bench.spool))
    wire = bench.connect()
    wire.send(b"EHLO x\r\n" + MAIL)
    wire.send(CONTENT)
    bench.spool.broken = SpoolError("no space left on device", full=True)
    assert (await end(wire)).startswith(b"452 4.3.1 No storage left")
    wire.send(MAIL)
    wire.send(b"No header\r\n\r\n")
    assert (await end(wire)).startswith(b"550 5.6.0")
    bench.spool.broken = None
    wire.send(MAIL + CONTENT)
    assert b"250 2.0.0 Ok: queued" in await end(wire)
    wire.close()
