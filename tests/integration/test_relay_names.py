"""A name server that does not answer stops the mail of that one upstream: no other mail, no reload, no end."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

SILENT = """
import socket, time
real = socket.getaddrinfo
def slow(host, *arguments, **more):
    if host == "silent.example":
        time.sleep(12)
        raise socket.gaierror(-3, "Temporary failure in name resolution")
    return real(host, *arguments, **more)
socket.getaddrinfo = slow
"""
MAIL = "From: app@{0}\nTo: b@example.net\nSubject: one\n\ntext\n"


def upstream(name: str, host: str, port: int) -> dict[str, Any]:
    way = {"name": name, "provider": name, "host": host, "port": port, "tls": {"mode": "None"}}
    return {**way, "senders": {"domains": [f"{name}.example"]}, "connections": {"max": 20}}


async def test_a_name_that_nobody_answers_for_stops_no_other_mail_no_reload_and_no_end(
    tmp_path: Path, free_port: int
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SILENT)
    path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    async with ScriptedServer() as server:
        ways = [upstream("dead", "silent.example", 25), upstream("good", "localhost", server.port)]
        document = relay_document(ways, free_port)
        async with running_relay(tmp_path, document, environment={"PYTHONPATH": path}) as relay:
            for _ in range(40):
                await relay.submit(MAIL.format("dead.example"), "app@dead.example")
            began = time.monotonic()
            await relay.submit(MAIL.format("good.example"), "app@good.example")
            (tmp_path / "relay.v1.json").write_text(json.dumps(document | {"hostname": "new.example.com"}))
            async with asyncio.timeout(6):
                while not server.accepted or len(relay.events("config-applied")) < 2:  # noqa: ASYNC110 - a process
                    await asyncio.sleep(0.05)
            assert time.monotonic() - began < 3
            assert await relay.terminate() < 9.5
