"""An upstream that asks for fewer connections: those that idle beyond the new number say QUIT at once."""

import asyncio

import pytest
from tests.support.outgoing import Outgoing, outgoing, transmission
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration
SLOW = {"steps": {"dot": {"delay": 0.1}}}


async def _open(out: Outgoing, connections: int) -> None:
    async with asyncio.timeout(5):
        while out.tally.connections_open != connections:  # noqa: ASYNC110 - the other side closes
            await asyncio.sleep(0.02)


async def test_idle_connections_beyond_the_new_number_leave_at_once() -> None:
    async with ScriptedServer(SLOW) as server, outgoing(server.port) as out:
        await asyncio.gather(*(out.send() for _ in range(4)))
        await _open(out, 4)
        out.transport.use_at_most(1)
        await _open(out, 1)
        assert sum("QUIT" in command for command in server.commands) == 3
        await out.send()
        assert server.connections == 4, "the one that was kept is used"


async def test_what_is_under_way_ends_and_is_not_kept_beyond_the_new_number() -> None:
    async with ScriptedServer(SLOW) as server, outgoing(server.port) as out:
        sending = [asyncio.ensure_future(out.send()) for _ in range(4)]
        await _open(out, 4)
        out.transport.use_at_most(2)
        await asyncio.gather(*sending)
        await _open(out, 2)
        assert len(server.accepted) == 4
        out.transport.use_at_most(4)
        await asyncio.gather(*(out.send() for _ in range(4)))
        assert out.tally.connections_open == 4


async def test_a_message_that_was_split_tells_in_how_many_transactions_it_was_taken() -> None:
    to = [f"r{number}@example.net" for number in range(5)]
    refused = {"recipients": {to[4]: "550 5.1.1 no such user"}}
    async with ScriptedServer(refused) as server, outgoing(server.port, behavior={"max_recipients": 2}) as out:
        delivery = await out.deliver(transmission(*to))
        assert (delivery.transactions, len(server.accepted)) == (2, 2)
