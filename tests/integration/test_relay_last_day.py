"""What was delivered and what failed in 24 hours is still told after a relay was killed and started again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration
CONTENT = "From: app@example.com\nSubject: one\n\ntext\n"
REFUSED = {"steps": {"rcpt": {"reply": "550 5.1.1 no such user", "times": 1}}}


async def _counted(relay: RelayProcess, delivered: int, failed: int) -> dict[str, Any]:
    report = await relay.until(
        "/v1/report", lambda one: (one["deliveredLastDay"], one["failedLastDay"]) == (delivered, failed)
    )
    return dict(report)


async def test_a_kill_and_a_stop_keep_the_day(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer(REFUSED) as server:
        up = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
        document = relay_document([up], free_port)
        async with running_relay(tmp_path, document) as relay:
            for _ in range(4):
                await relay.submit(CONTENT)
            await _counted(relay, 3, 1)
            await asyncio.sleep(2.5)  # it is stored within a second
            await relay.kill()
        async with running_relay(tmp_path, document) as relay:
            report = await _counted(relay, 3, 1)
            assert (report["delivered"], report["failed"]) == (0, 0)
            await relay.submit(CONTENT)
            await _counted(relay, 4, 1)  # and stopped at once: what has just ended is stored before the end
        async with running_relay(tmp_path, document) as relay:
            await _counted(relay, 4, 1)
