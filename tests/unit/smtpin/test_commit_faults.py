"""A commit that fails after the body was written: the client is told of the storage, not of an error of ours."""

import asyncio

from tests.support.listening import Bench, Wire

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
