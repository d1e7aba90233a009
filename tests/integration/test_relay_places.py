"""Mail in the places of a dead upstream outlives `kill -9`, and all of it leaves when the upstream is back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger import Clients, Ledger
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def waits(report: dict[str, Any], count: int) -> bool:
    queue = report["queue"]
    return bool(queue.get("deferred", 0) >= count and not queue.get("queued", 0))


async def test_what_waits_for_a_dead_upstream_outlives_kills_and_leaves_when_it_is_back(
    tmp_path: Path, free_port: int
) -> None:
    ledger = Ledger()
    async with ScriptedServer({"connect": "refuse"}) as server:
        ledger.watch(server)
        upstream = {
            "name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"},
            "connections": {"addressFamily": "IPv4"},
        }  # fmt: skip
        document = relay_document([upstream], free_port)
        for _ in range(2):
            async with running_relay(tmp_path, document) as relay:
                clients = Clients(ledger, relay.smtp)
                load = asyncio.create_task(clients.run(4))
                await asyncio.sleep(1)
                clients.stop()
                await asyncio.wait_for(load, 20)
                await relay.until("/v1/report", lambda one: waits(one, len(ledger.promised)))
                await relay.kill()
        server.play({})
        await server.settled()
        async with running_relay(tmp_path, document) as relay:
            await ledger.settled(60)
            await relay.until("/v1/report", lambda one: not one["queue"].get("deferred", 0))
    assert len(ledger.promised) > 20
    assert ledger.lost == []
    assert ledger.damaged == []
    assert not ledger.doubled, "nothing was under way at the kills"
