"""Mail whose route would hold it, and is configured not to: 451 at the end of data, and nothing is kept of it."""

import asyncio

from tests.support.listening import Bench

from mailhaul_relay.model.outcome import Reply

TO_DOT = (
    b"EHLO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
    b"From: app@example.com\r\n\r\nhi\r\n.\r\n"
)


async def test_deferred_mail_is_the_clients_again_and_the_session_goes_on() -> None:
    bench = Bench()
    wire = bench.connect()
    bench.intake.deferred = Reply(451, "4.3.2", "route billing: backup: quota; come again later")
    assert wire.send(TO_DOT).endswith(b"\r\n451 4.3.2 route billing: backup: quota; come again later\r\n")
    assert bench.spool.messages == {}
    assert bench.tally.refused == {"451 4.3.2": 1}
    bench.intake.deferred = None
    wire.send(TO_DOT.partition(b"\r\n")[2])
    for _ in range(4):
        await asyncio.sleep(0)
    assert wire.take().startswith(b"250 2.0.0 ")
    assert len(bench.spool.messages) == 1
    wire.close()
