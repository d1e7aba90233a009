"""Connections are reused, retired and replaced without anybody noticing."""

import asyncio

import pytest
from tests.support.outgoing import QUICK, outgoing
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.outcome import Fault, Verdict

pytestmark = pytest.mark.integration


async def test_a_connection_is_reused() -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        for _ in range(5):
            await out.send()
        assert (server.connections, len(server.accepted)) == (1, 5)
        assert (out.tally.connections_opened, out.tally.connections_open) == (1, 1)
    assert server.commands[-1] == "1 QUIT"


async def test_a_connection_is_retired_after_its_messages_with_quit() -> None:
    connections = {"messagesPerConnection": 2}
    async with ScriptedServer() as server, outgoing(server.port, connections=connections) as out:
        for _ in range(5):
            await out.send()
        assert server.connections == 3
        assert sum("QUIT" in command for command in server.commands) == 2


async def test_an_idle_connection_is_retired() -> None:
    async with ScriptedServer() as server, outgoing(server.port, connections={"idleTimeout": 1}) as out:
        await out.send()
        await asyncio.sleep(1.3)
        assert out.tally.connections_open == 0
        assert server.commands[-1] == "1 QUIT"


@pytest.mark.parametrize(
    "after", ["drop", "reset", {"reply": "421 4.4.2 idle for too long", "action": "drop"}, "421 4.4.2 idle"]
)
async def test_a_connection_that_was_closed_while_idle_is_replaced(after: object) -> None:
    async with ScriptedServer({"steps": {"after": after}}) as server, outgoing(server.port) as out:
        for _ in range(3):
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.DELIVERED
            await asyncio.sleep(0.02)
        assert server.connections == 3


@pytest.mark.parametrize("mail", ["drop", "reset", "421 4.4.2 idle", "451 4.4.2 Timeout waiting for data from client"])
async def test_a_reused_connection_that_fails_at_mail_is_replaced_at_once(mail: str) -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        await out.send()
        server.play({"steps": {"mail": {**({"action": mail} if " " not in mail else {"reply": mail}), "times": 1}}})
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED
        assert (server.connections, len(server.accepted)) == (2, 2)


async def test_421_at_mail_of_a_fresh_connection_is_an_outcome() -> None:
    async with ScriptedServer({"steps": {"mail": "421 4.3.2 not now"}}) as server, outgoing(server.port) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.RETRY, Fault.CONNECTION)
        assert server.connections == 1


async def test_an_upstream_that_closes_after_each_message_gets_every_message() -> None:
    async with ScriptedServer({"close_after": 1}) as server, outgoing(server.port) as out:
        for _ in range(4):
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.DELIVERED
        assert (server.connections, len(server.accepted)) == (4, 4)


async def test_deliveries_side_by_side_use_connections_of_their_own() -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        results = await asyncio.gather(*(out.send() for _ in range(8)))
        assert {outcome.verdict for (outcome,) in results} == {Verdict.DELIVERED}
        assert 1 < server.connections <= 8
        await asyncio.gather(*(out.send() for _ in range(8)))
        assert server.connections <= 8


async def test_a_delivery_that_ends_after_close_leaves_no_connection() -> None:
    script = {"steps": {"dot": {"delay": 0.1}}}
    async with ScriptedServer(script) as server, outgoing(server.port, timeouts=QUICK) as out:
        task = asyncio.create_task(out.send())
        await asyncio.sleep(0.05)
        await out.transport.close()
        (outcome,) = await task
        assert outcome.verdict is Verdict.DELIVERED
        await asyncio.sleep(0.05)
        assert out.tally.connections_open == 0


async def test_after_a_refused_content_the_connection_takes_the_next_message() -> None:
    script = {"steps": {"dot": {"reply": "554 5.7.1 looks like spam", "times": 1}}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        verdicts = [(await out.send())[0].verdict for _ in range(2)]
        assert verdicts == [Verdict.FAILED, Verdict.DELIVERED]
        assert server.connections == 1


async def test_after_a_refused_sender_the_connection_takes_the_next_message() -> None:
    script = {"steps": {"mail": {"reply": "550 5.7.60 no", "times": 1}}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        verdicts = [(await out.send())[0].verdict for _ in range(2)]
        assert verdicts == [Verdict.HOLD, Verdict.DELIVERED]
        assert server.connections == 1
