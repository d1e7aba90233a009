"""A reply that no rule knows is listed by a real relay, over a restart, without the addresses of the mail."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import TOKEN, RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration
MAIL = "From: app@example.com\nTo: secret.person@example.net\nSubject: x\n\nhello\n"
ODD = "550 5.9.9 <secret.person@example.net> met the purple quirk, id 4XyZ12abcz"


async def _replies(relay: RelayProcess, *options: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mailhaul_contract.console", "replies", *options),
        env={**os.environ, "MAILHAUL_URL": f"http://127.0.0.1:{relay.http}", "MAILHAUL_TOKEN": TOKEN},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, output
    return output.decode()


async def test_it_is_listed_without_addresses_and_over_a_restart(tmp_path: Path, free_port: int) -> None:
    upstream = {"name": "primary", "provider": "main", "host": "127.0.0.1", "tls": {"mode": "None"}}
    async with ScriptedServer({"steps": {"rcpt": ODD}}) as server:
        document = relay_document([{**upstream, "port": server.port}], free_port)
        async with running_relay(tmp_path, document) as relay:
            for _ in range(2):
                await relay.submit(MAIL, "shop@example.com", ("secret.person@example.net",))
            page = await relay.until("/v1/replies", lambda one: sum(kind["count"] for kind in one["replies"]) == 2)
            (before,) = page["replies"]
        async with running_relay(tmp_path, document) as relay:
            (one,) = _kinds(await _replies(relay, "-o", "json"))
            assert (one["provider"], one["stage"], one["code"], one["enhanced"]) == ("main", "rcpt", 550, "5.9.9")
            assert one["text"] == "<<address>> met the purple quirk, id <id>"
            assert one["firstSeen"] == before["firstSeen"]
            assert one["count"] >= 2
            text = await _replies(relay)
            assert "met the purple quirk" in text
            assert "secret" not in text


def _kinds(text: str) -> list[dict[str, Any]]:
    return list(json.loads(text)["replies"])
