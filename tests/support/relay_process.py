"""A real relay process on loopback with ports of its own, for tests of what it shows and does from outside.

It is started as `mailhaul relay serve` in a process of its own and stopped with SIGTERM; its log lines are kept.
"""

import asyncio
import json
import os
import signal
import smtplib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.http_exchange import Answer, ask, bearer

TOKEN = "api-canary-4b1d"
START_TIME = 20.0


@dataclass
class RelayProcess:
    """One running relay. `exit_code` is set after its end."""

    process: asyncio.subprocess.Process
    directory: Path
    smtp: int
    http: int
    exit_code: int | None = None
    was_killed: bool = False

    async def kill(self) -> None:
        """Take its life at once, as a node that dies does; nothing is asserted of its end then."""
        self.was_killed = True
        self.process.kill()
        await self.process.wait()

    async def terminate(self, limit: float = 20.0) -> float:
        """Send SIGTERM and wait for its end; gives the seconds that it took."""
        began = asyncio.get_running_loop().time()
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), limit)
        return asyncio.get_running_loop().time() - began

    @property
    def token_file(self) -> Path:
        return self.directory / "secrets" / "api.token"

    def log(self) -> str:
        """Everything that it wrote to standard error so far."""
        return (self.directory / "relay.log").read_text(encoding="utf-8")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its log lines of one event."""
        return [line for line in map(json.loads, self.log().splitlines()) if line["event"] == name]

    def pss(self) -> int:
        """Its memory in KiB, shared pages in proportion."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])

    async def wait_ready(self, ready: Path) -> None:
        """Wait until it accepts mail, and learn its ports."""
        async with asyncio.timeout(START_TIME):
            while not (said := _read(ready)):
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.05)
        self.smtp, self.http = said["listeners"][0]["port"], said["http"]["port"]

    async def get(self, path: str, *, token: bool = True) -> Answer:
        return await ask(self.http, "GET", path, headers=bearer(TOKEN) if token else {})

    async def post(self, path: str, body: bytes = b"") -> Answer:
        return await ask(self.http, "POST", path, body, bearer(TOKEN))

    async def submit(
        self, content: str, sender: str = "app@example.com", to: tuple[str, ...] = ("b@example.net",)
    ) -> None:
        """Send one mail as a decent client does; raises what smtplib raises."""
        await asyncio.to_thread(self._submit, content, sender, to)

    def _submit(self, content: str, sender: str, to: tuple[str, ...]) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=10) as client:
            client.sendmail(sender, to, content.replace("\n", "\r\n").encode())

    async def until(self, path: str, condition: Any, timeout: float = 15.0) -> Any:  # noqa: ANN401, ASYNC109
        """Ask for a JSON document until it satisfies a condition; gives it."""
        async with asyncio.timeout(timeout):
            while not condition(document := (await self.get(path)).json()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        return document


def relay_document(upstreams: list[dict[str, Any]], port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A configuration that trusts loopback."""
    return {
        "contractVersion": 1,
        "relay": {"namespace": "mail", "name": "relay"},
        "hostname": "relay.example.com",
        "listeners": [{"name": "smtp", "port": port}],
        "clients": {"allowedNetworks": ["127.0.0.0/8"]},
        "upstreams": upstreams,
    } | changes


@asynccontextmanager
async def running_relay(
    directory: Path,
    document: Mapping[str, Any],
    secrets: Mapping[str, str] | None = None,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[RelayProcess]:
    """Start a relay, wait until it accepts mail, and stop it at the end; it must stop cleanly unless it was killed.

    `arguments` come last and so win over those given here; `environment` is added to the process's own.
    """
    config, mounted, ready = directory / "relay.v1.json", directory / "secrets", directory / "ready.json"
    config.write_text(json.dumps(document), encoding="utf-8")
    mounted.mkdir(exist_ok=True)
    for name, value in {"api.token": TOKEN, **(secrets or {})}.items():
        (mounted / name).write_text(value, encoding="utf-8")
    ready.unlink(missing_ok=True)
    options = [
        *("--config", config, "--secrets", mounted, "--spool", directory / "spool", "--ready-file", ready),
        *("--bind", "127.0.0.1", "--http-bind", "127.0.0.1:0", "--grace", "5", *arguments),
    ]
    with (directory / "relay.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mailhaul_contract.console", "relay", "serve", *map(str, options),
            stdin=asyncio.subprocess.DEVNULL, stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )  # fmt: skip
    relay = RelayProcess(process, directory, 0, 0)
    try:
        await relay.wait_ready(ready)
        yield relay
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            relay.exit_code = await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            relay.exit_code = await process.wait()
    assert relay.was_killed or relay.exit_code == 0, relay.log()


def _read(ready: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(ready.read_text(encoding="utf-8")) if ready.exists() else None
