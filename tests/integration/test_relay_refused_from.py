"""A From that a provider refused is still told after the relay was killed, before any mail has met it again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration
CONTENT = "From: app@example.com\nSubject: one\n\ntext\n"
NOT_VERIFIED = "554 Message rejected: Email address is not verified. app@example.com"


def _upstream(name: str, server: ScriptedServer, priority: int) -> dict[str, Any]:
    one = {"name": name, "provider": name, "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
    return one | {"priority": priority}


async def test_a_kill_keeps_the_words_and_mail_tries_it_at_once(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer({"steps": {"dot": NOT_VERIFIED}}) as refuses, ScriptedServer() as takes:
        document = relay_document([_upstream("main", refuses, 0), _upstream("spare", takes, 1)], free_port)
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(CONTENT)
            await relay.until("/v1/report", lambda one: one["delivered"] == 1)
            await asyncio.sleep(2.5)  # it is stored within a second
            await relay.kill()
        async with running_relay(tmp_path, document) as relay:
            main = (await relay.get("/v1/report")).json()["upstreams"][0]
            assert main["refusedSenders"] == ["example.com"]
            assert "not verified" in main["refusedSenderReplies"]["example.com"]["text"]
            assert main["refusedSenderReplies"]["example.com"]["remedy"]
            refuses.play({})
            await relay.submit(CONTENT)
            report = await relay.until("/v1/report", lambda one: one["upstreams"][0]["delivered"] == 1)
            assert report["upstreams"][0]["refusedSenders"] == []
