"""Upstreams that hang, drop, answer garbage or slowly: all becomes an outcome, unknown only after the final dot."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.outgoing import QUICK, outgoing, transmission
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Stage, Verdict

pytestmark = pytest.mark.integration


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the server saw something, at most two seconds."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within two seconds")


BEFORE_THE_DOT = {
    "banner": Stage.BANNER,
    "ehlo": Stage.EHLO,
    "mail": Stage.MAIL,
    "rcpt": Stage.RCPT,
    "data": Stage.DATA,
}
GARBAGE = ["hello\r\n", "2\r\n", "\r\n", "250-a\r\n550 b\r\n", "999 x\r\n", "x" * 5000, "\x16\x03\x01\x02"]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("point", "stage"), BEFORE_THE_DOT.items())
@pytest.mark.parametrize("action", ["hang", "drop", "reset"])
async def test_trouble_before_the_dot_is_tried_again(action: str, point: str, stage: Stage, pipelining: bool) -> None:
    extensions = ["PIPELINING"] if pipelining else []
    script = {"steps": {point: action}, "extensions": extensions}
    async with ScriptedServer(script) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.CONNECTION, stage)
        assert outcome.remedy
        assert server.messages == []
        assert out.tally.connections_open == 0


@pytest.mark.parametrize("action", ["hang", "drop", "reset"])
async def test_trouble_after_the_dot_is_unknown(action: str) -> None:
    async with ScriptedServer({"steps": {"dot": action}}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (
            Verdict.UNKNOWN,
            Fault.CONNECTION,
            Stage.END_OF_DATA,
        )
        assert len(server.messages) == 1


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_after_the_dot_is_unknown_and_never_delivered(garbage: str) -> None:
    step = {"raw": garbage, "action": "drop"}
    async with ScriptedServer({"steps": {"dot": step}}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("point", BEFORE_THE_DOT)
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_before_the_dot_is_tried_again(garbage: str, point: str) -> None:
    step = {"raw": garbage, "action": "drop"}
    async with ScriptedServer({"steps": {point: step}}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.RETRY
        assert outcome.fault in {Fault.PROTOCOL, Fault.CONNECTION}
        assert server.messages == []


async def test_a_second_354_after_the_dot_is_unknown() -> None:
    async with ScriptedServer({"steps": {"dot": "354 go on"}}) as server, outgoing(server.port) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.UNKNOWN, Fault.PROTOCOL)


async def test_refused_connections_are_tried_again() -> None:
    async with ScriptedServer({"connect": "refuse"}) as server, outgoing(server.port) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.CONNECTION, Stage.CONNECT)
        assert outcome.detail == "connection refused"


async def test_an_unknown_host_is_tried_again_and_names_the_field() -> None:
    async with outgoing(25, host="no-such-host.invalid") as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.RETRY, Fault.CONNECTION)
        assert "spec.host" in outcome.remedy


async def test_a_slow_drip_is_no_answer() -> None:
    steps = {"mail": {"reply": "250 2.1.0 an answer that takes for ever", "drip": 0.05}}
    async with ScriptedServer({"steps": steps}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.stage) == (Verdict.RETRY, Stage.MAIL)


async def test_a_slow_answer_within_the_limit_is_awaited() -> None:
    steps = {point: {"delay": 0.1} for point in ("banner", "ehlo", "mail", "rcpt", "data", "dot")}
    async with ScriptedServer({"steps": steps}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED


async def test_a_reply_that_nobody_asked_for_ends_the_connection_but_not_the_delivery() -> None:
    steps = {"dot": {"extra": "250 2.0.0 and another\r\n"}}
    async with ScriptedServer({"steps": steps}) as server, outgoing(server.port) as out:
        for _ in range(3):
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.DELIVERED
        assert server.connections == 3


async def test_an_extra_reply_in_the_envelope_does_not_count_as_delivery() -> None:
    steps = {"mail": {"extra": "250 2.0.0 injected\r\n"}}
    async with ScriptedServer({"steps": steps}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is not Verdict.DELIVERED
        assert server.messages == []


async def test_a_large_body_dropped_before_the_dot_is_not_unknown(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"x" * 76 + b"\r\n" * 1 + (b"y" * 76 + b"\r\n") * 200_000)
    message = transmission(body=Body(path.stat().st_size, path=path))
    async with ScriptedServer({"steps": {"content": "reset"}}) as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(message)).outcomes
        assert (outcome.verdict, outcome.stage) == (Verdict.RETRY, Stage.DATA)


async def test_a_refusal_before_the_dot_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes((b"y" * 76 + b"\r\n") * 200_000)
    message = transmission(body=Body(path.stat().st_size, path=path))
    steps = {"content": {"reply": "552 5.3.4 Message size exceeds fixed limit", "action": "hang"}}
    async with ScriptedServer({"steps": steps}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = (await out.deliver(message)).outcomes
        assert (outcome.verdict, outcome.fault) == (Verdict.FAILED, Fault.SIZE)
        assert outcome.retry_elsewhere


async def test_an_upstream_that_stops_reading_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes((b"y" * 76 + b"\r\n") * 200_000)
    message = transmission(body=Body(path.stat().st_size, path=path))
    steps = {"content": "stall"}
    async with ScriptedServer({"steps": steps}) as server, outgoing(server.port, timeouts=QUICK) as out:
        (outcome,) = (await out.deliver(message)).outcomes
        assert (outcome.verdict, outcome.stage, outcome.fault) == (Verdict.RETRY, Stage.DATA, Fault.CONNECTION)


async def test_a_body_that_cannot_be_read_is_no_fault_of_the_upstream(tmp_path: Path) -> None:
    message = transmission(body=Body(1_000_000, path=tmp_path / "gone"))
    async with ScriptedServer() as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(message)).outcomes
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.TRANSIENT, Stage.RELAY)
        assert server.messages == []


async def test_cancelling_before_the_dot_drops_the_connection() -> None:
    async with ScriptedServer({"steps": {"data": "hang"}}) as server, outgoing(server.port) as out:
        task = asyncio.create_task(out.send())
        await until(lambda: any("DATA" in command for command in server.commands))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert out.tally.connections_open == 0
        assert server.messages == []


async def test_cancelling_after_the_dot_waits_for_the_answer() -> None:
    async with ScriptedServer({"steps": {"dot": {"delay": 0.2}}}) as server, outgoing(server.port) as out:
        task = asyncio.create_task(out.send())
        await until(lambda: bool(server.messages))
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        (outcome,) = await task
        assert outcome.verdict is Verdict.DELIVERED


async def test_closing_is_quick_when_the_upstream_is_dead() -> None:
    async with ScriptedServer({"steps": {"quit": "hang"}}) as server:
        async with outgoing(server.port, timeouts=QUICK) as out:
            await out.send()
            before = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - before < 1.0


async def test_cancelling_after_the_dot_begins_no_further_transaction() -> None:
    script = {"steps": {"dot": {"delay": 0.2}}}
    async with ScriptedServer(script) as server, outgoing(server.port, behavior={"maxRecipients": 1}) as out:
        task = asyncio.create_task(out.send("a@example.net", "b@example.net"))
        await until(lambda: bool(server.messages))
        task.cancel()
        outcomes = await task
        assert [one.verdict for one in outcomes] == [Verdict.DELIVERED, Verdict.RETRY]
        assert len(server.messages) == 1


@pytest.mark.parametrize("point", ["mail", "rcpt", "data"])
async def test_cancelling_a_later_transaction_keeps_what_an_earlier_one_came_to(point: str) -> None:
    async with ScriptedServer() as server, outgoing(server.port, behavior={"maxRecipients": 1}) as out:
        server.at_message = lambda _: server.play({"steps": {point: "hang"}})
        task = asyncio.create_task(out.deliver(transmission("a@example.net", "b@example.net", "c@example.net")))
        await until(lambda: len([one for one in server.commands if " MAIL " in one]) == 2)
        await asyncio.sleep(0.1)
        task.cancel()
        delivery = await task
        assert [one.verdict for one in delivery.outcomes] == [Verdict.DELIVERED, Verdict.RETRY, Verdict.RETRY]
        assert delivery.transactions == 1
        assert len(server.messages) == 1


async def test_cancelling_after_the_dot_gives_a_silent_upstream_a_last_moment_only() -> None:
    async with ScriptedServer({"steps": {"dot": "hang"}}) as server, outgoing(server.port) as out:
        task = asyncio.create_task(out.send())
        await until(lambda: bool(server.messages))
        before = asyncio.get_running_loop().time()
        task.cancel()
        (outcome,) = await task
        assert outcome.verdict is Verdict.UNKNOWN
        assert asyncio.get_running_loop().time() - before < 3.0
