"""The scripted server as a program: its script file and its control port change what it does while it runs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.outgoing import outgoing
from tests.support.programs import REPOSITORY

from mailhaul_relay.model.outcome import Fault, Verdict

pytestmark = pytest.mark.integration


@asynccontextmanager
async def program(*arguments: str, signalled: bool) -> AsyncIterator[dict[str, int]]:
    """Run the program and give its ports. End it by a signal, unless the test tells it to stop: a signal while it ends
    already finds nobody who would take it.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.scripted_server", "--control-port", "0", *arguments,
        stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        if signalled:
            process.terminate()
        await asyncio.wait_for(process.wait(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0


async def ask(port: int, request: dict[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(json.dumps(request).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), 5))
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_control_port_changes_what_it_does() -> None:
    async with program(signalled=False) as ports, outgoing(ports["port"]) as out:
        control = ports["control_port"]
        assert (await out.send())[0].verdict is Verdict.DELIVERED
        assert (await ask(control, {"script": {"connect": "refuse"}})) == {"ok": True}
        await out.transport.close()
        assert (await out.send())[0].fault is Fault.CONNECTION
        assert (await ask(control, {"script": {"steps": {"mail": "550 5.7.1 no"}}})) == {"ok": True}
        assert (await out.send())[0].fault is Fault.SENDER
        assert "error" in await ask(control, {"script": {"steps": {"nowhere": "hang"}}})
        kept = await ask(control, {"messages": 0})
        assert kept["count"] == 1
        assert kept["messages"][0]["recipients"] == ["bob@example.net"]
        assert await ask(control, {"stop": 1}) == {"ok": True}


async def test_the_script_file_is_read_again_and_messages_are_logged(tmp_path: Path) -> None:
    script, log = tmp_path / "script.json", tmp_path / "messages.jsonl"
    script.write_text("{}")
    running = program("--script", str(script), "--log", str(log), signalled=True)
    async with running as ports, outgoing(ports["port"]) as out:
        assert (await out.send())[0].verdict is Verdict.DELIVERED
        script.write_text(json.dumps({"steps": {"dot": "550 5.4.5 Daily sending quota exceeded"}}))
        await asyncio.sleep(0.6)
        assert (await out.send())[0].fault is Fault.QUOTA
    assert [json.loads(line)["reply"][:3] for line in log.read_text().splitlines()] == ["250", "550"]
