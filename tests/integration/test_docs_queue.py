"""Every command of docs/queue.md runs as it stands there, against a real relay with mail that waits."""

import asyncio
import os
import shlex
import sys
from pathlib import Path

import pytest
from tests.support.readme import blocks
from tests.support.relay_process import TOKEN, RelayProcess, relay_document, running_relay
from tests.support.repository import REPOSITORY
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

PAGE = REPOSITORY / "docs" / "queue.md"
MAIL = "From: app@example.com\nTo: b@example.net\nSubject: waits\n\nhello\n"


def _commands() -> list[list[str]]:
    lines = [line for one in blocks(PAGE) if (one.language, one.name) == ("sh", "") for line in one.text.splitlines()]
    return [shlex.split(line) for line in lines if line]


async def _run(relay: RelayProcess, folder: Path, arguments: list[str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mailhaul_contract.console", *arguments),
        cwd=folder,
        env={**os.environ, "MAILHAUL_URL": f"http://127.0.0.1:{relay.http}", "MAILHAUL_TOKEN": TOKEN},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, output.decode()


async def test_every_command_of_the_page_runs(tmp_path: Path, free_port: int) -> None:
    upstream = {"name": "primary", "provider": "primary", "host": "127.0.0.1", "tls": {"mode": "None"}}
    catch = {"name": "backup", "provider": "inbox", "kind": "Capture", "priority": 900}
    async with ScriptedServer({"steps": {"rcpt": "550 5.1.1 no such user"}}) as server:
        document = relay_document([{**upstream, "port": server.port}, catch], free_port)
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(MAIL, "shop@example.com")
            page = await relay.until("/v1/queue?state=dead", lambda one: one["messages"])
            known = {"ID": page["messages"][0]["id"]}
            commands = _commands()
            for command in commands:
                assert command[0] == "mailhaul"
                code, text = await _run(relay, tmp_path, [known.get(word, word) for word in command[1:]])
                assert code == 0, (command, text)
            assert len(commands) > 12
            assert (tmp_path / "message.eml").read_bytes().endswith(b"\r\n\r\nhello\r\n")
            told = await relay.until(f"/v1/messages/{known['ID']}", lambda one: one["state"] == "delivered")
            assert [one["upstream"] for one in told["attempts"]] == ["primary", "backup"]
