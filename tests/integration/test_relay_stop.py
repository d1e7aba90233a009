"""SIGTERM: the process ends with 0 within its grace time whatever an upstream or a client does, and no mail is lost."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger import Clients, Ledger
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

GRACE = 2.0
ENOUGH = GRACE + 2.5
"""Seconds for the whole end: the grace time, two for saying goodbye, and a busy machine's slowness."""
MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"


def document(server: ScriptedServer, port: int, **upstream: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    out = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
    return relay_document([out | upstream], port, queue={"retry": {"initial": 1, "max": 1}})


@pytest.mark.parametrize("point", ["banner", "mail", "data", "dot", "quit"])
async def test_a_dead_upstream_never_delays_the_end_and_no_mail_is_lost(
    tmp_path: Path, free_port: int, point: str
) -> None:
    ledger = Ledger()
    async with ScriptedServer({"steps": {point: "hang"}}) as server:
        ledger.watch(server)
        async with running_relay(tmp_path, document(server, free_port), None, "--grace", str(GRACE)) as relay:
            clients = Clients(ledger, relay.smtp, sizes=(4096,))
            await clients.run(2, 10)
            await asyncio.sleep(0.3)
            seconds = await relay.terminate()
            assert relay.process.returncode == 0
            assert seconds < ENOUGH
        assert len(ledger.promised) == 20
        server.play({})
        async with running_relay(tmp_path, document(server, free_port)):
            await ledger.settled(30)
    assert (ledger.lost, ledger.damaged) == ([], [])
    assert not ledger.doubled


@pytest.mark.parametrize("point", ["mail", "dot"])
async def test_an_upstream_that_hangs_and_was_replaced_delays_no_end_and_doubles_nothing(
    tmp_path: Path, free_port: int, point: str
) -> None:
    """As it goes: it hangs, the provider is switched, the pods are rolled. After the dot nobody knows."""
    async with ScriptedServer({"steps": {point: "hang"}}) as bad, ScriptedServer() as good:
        before, after = document(bad, free_port), document(good, free_port, name="new", provider="new")
        async with running_relay(tmp_path, before, None, "--grace", str(GRACE)) as relay:
            await relay.submit(MAIL)
            await _heard(bad, point)
            (tmp_path / "relay.v1.json").write_text(json.dumps(after), encoding="utf-8")
            await relay.until("/v1/report", lambda one: one["upstreams"][0]["name"] == "new")
            assert await relay.terminate() < ENOUGH
        async with running_relay(tmp_path, after) as relay:
            if point == "mail":
                await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
            else:
                report = await relay.until("/v1/report", lambda one: one["queue"].get("held") == 1)
                assert report["delivered"] == 0
        assert len(good.messages) == (point == "mail")


async def test_a_configuration_that_comes_amid_the_end_opens_no_port_again(tmp_path: Path, free_port: int) -> None:
    """As it goes: the operator is upgraded, writes another configuration and replaces the pods."""
    async with ScriptedServer({"steps": {"dot": "hang"}}) as server:
        before = document(server, free_port)
        async with running_relay(tmp_path, before, None, "--grace", str(GRACE)) as relay:
            await relay.submit(MAIL)
            await _heard(server, "dot")
            ending = asyncio.create_task(relay.terminate())
            await asyncio.sleep(0.3)
            after = before | {"hostname": "other.example"}
            (tmp_path / "relay.v1.json").write_text(json.dumps(after), encoding="utf-8")
            for _ in range(10):
                await asyncio.sleep(0.1)
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection("127.0.0.1", relay.smtp)
            assert await ending < ENOUGH


async def _heard(server: ScriptedServer, point: str) -> None:
    async with asyncio.timeout(10):
        while not (server.messages if point == "dot" else _mails(server)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


async def test_no_attempt_is_begun_after_sigterm(tmp_path: Path, free_port: int) -> None:
    """Each message takes the upstream a while: those behind the ones under way must wait for the next start."""
    async with ScriptedServer({"steps": {"dot": {"delay": 0.7}}}) as server:
        out = document(server, free_port, connections={"max": 2})
        async with running_relay(tmp_path, out, None, "--grace", str(GRACE)) as relay:
            for _ in range(12):
                await relay.submit(MAIL)
            await asyncio.sleep(0.2)
            begun = _mails(server)
            assert 0 < begun < 12
            await relay.terminate()
            assert _mails(server) <= begun + 2
        arrived = len(server.accepted)
        server.play({})
        async with running_relay(tmp_path, document(server, free_port)) as relay:
            await relay.until("/v1/report", lambda one: one.get("delivered") == 12 - arrived, 20)
        assert len(server.accepted) == 12


def _mails(server: ScriptedServer) -> int:
    return sum(1 for one in server.commands if " MAIL " in one)


async def test_a_message_that_is_coming_in_may_finish_and_gets_its_250(tmp_path: Path, free_port: int) -> None:
    ledger = Ledger()
    async with ScriptedServer() as server:
        ledger.watch(server)
        sequence, content = ledger.message(4096)
        async with running_relay(tmp_path, document(server, free_port), None, "--grace", "5") as relay:
            reader, writer = await _in_data(relay)
            writer.write(content[:500])
            await writer.drain()
            ending = asyncio.create_task(relay.terminate())
            await _stopping(relay)
            writer.write(content[500:] + b".\r\n")
            assert (await reader.readline()).startswith(b"250 2.0.0")
            ledger.promise(sequence)
            assert (await reader.readline()).startswith(b"421 4.3.2")
            await ending
            writer.close()
            assert relay.process.returncode == 0
        async with running_relay(tmp_path, document(server, free_port)):
            await ledger.settled(20)
    assert (ledger.lost, ledger.doubled) == ([], {})


async def test_a_client_that_never_finishes_is_cut_at_the_end_of_the_grace(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer() as server:
        async with running_relay(tmp_path, document(server, free_port), None, "--grace", str(GRACE)) as relay:
            _, writer = await _in_data(relay)
            writer.write(b"From: app@example.com\r\n")
            assert await relay.terminate() < ENOUGH
            writer.close()
            assert relay.process.returncode == 0
        assert server.messages == []


async def test_a_stop_under_load_loses_and_doubles_nothing(tmp_path: Path, free_port: int) -> None:
    ledger = Ledger()
    async with ScriptedServer({"steps": {"dot": {"delay": 0.02}}}) as server:
        ledger.watch(server)
        for _ in range(3):
            async with running_relay(tmp_path, document(server, free_port)) as relay:
                clients = Clients(ledger, relay.smtp)
                load = asyncio.create_task(clients.run(4))
                await asyncio.sleep(0.5)
                await relay.terminate()
                await asyncio.wait_for(load, 20)
        async with running_relay(tmp_path, document(server, free_port)):
            await ledger.settled(30)
    assert (ledger.lost, ledger.damaged, ledger.doubled) == ([], [], {})
    assert len(ledger.promised) > 10


async def _in_data(relay: RelayProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.smtp)
    writer.write(b"HELO c.example\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
    while not (await asyncio.wait_for(reader.readline(), 10)).startswith(b"354"):
        pass
    return reader, writer


async def _stopping(relay: RelayProcess) -> None:
    async with asyncio.timeout(10):
        while not relay.events("stopping"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
