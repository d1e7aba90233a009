"""Two operators and one lease: one leads, and one that is cut off from the API server ends before the other begins.

Both are processes here; each reaches the API server through a forwarder of its own, which can swallow everything.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@dataclass
class Forwarder:
    """Passes bytes on to the API server until it is `cut`; then it keeps connections and swallows what comes."""

    host: str
    port: int
    cut: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pass_on(source, target))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if not self.cut:
                    target.write(data)
                    await target.drain()
        target.close()


@dataclass
class Candidate:
    """An operator's process behind its forwarder."""

    process: asyncio.subprocess.Process
    forwarder: Forwarder
    log: Path

    def leads(self) -> bool:
        return 'the lease is held"' in self.log.read_text()

    def waits(self) -> bool:
        return "the lease is held by" in self.log.read_text()


def kubeconfig_of(cluster: Cluster) -> Any:  # noqa: ANN401 - parsed YAML
    return yaml.safe_load(Path(cluster.environment["KUBECONFIG"]).read_text())


@asynccontextmanager
async def candidate(cluster: Cluster, namespace: str, directory: Path, name: str) -> AsyncIterator[Candidate]:
    kubeconfig = kubeconfig_of(cluster)
    address = urlsplit(kubeconfig["clusters"][0]["cluster"]["server"])
    forwarder = Forwarder(address.hostname or "", address.port or 443)
    server = await asyncio.start_server(forwarder.serve, "127.0.0.1", 0)
    kubeconfig["clusters"][0]["cluster"] |= {
        "server": f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        "tls-server-name": address.hostname,
    }
    file, log = directory / f"{name}.kubeconfig", directory / f"{name}.log"
    file.write_text(yaml.safe_dump(kubeconfig))
    words = ["--kubeconfig", str(file), "--namespace", namespace, "--lease-namespace", namespace]
    words += ["--lease-name", directory.name.replace("_", "-").lower()]
    ports = ["--health-port", "0", "--metrics-port", "0"]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mailhaul_contract.console", "operator", *words, *ports),
            stderr=output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        yield Candidate(process, forwarder, log)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        server.close()
        for task in list(forwarder.tasks):
            task.cancel()
        await asyncio.gather(*forwarder.tasks, return_exceptions=True)


async def it_waits(one: Candidate, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not one.waits():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.1)


async def one_leads(candidates: Sequence[Candidate], seconds: float) -> float:
    """Wait until one of these leads; gives the seconds that it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if any(one.leads() for one in candidates):
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    pytest.fail(f"none leads after {seconds} s: {[one.log.read_text() for one in candidates]}")


async def test_an_operator_that_is_cut_off_ends_before_the_other_leads(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    async with (
        candidate(cluster, namespace, tmp_path, "first") as first,
        candidate(cluster, namespace, tmp_path, "second") as second,
    ):
        await one_leads((first, second), 60)
        leader, other = (first, second) if first.leads() else (second, first)
        await it_waits(other, 60)
        assert not other.leads()
        leader.forwarder.cut = True
        began = time.monotonic()
        async with asyncio.timeout(20):
            code = await leader.process.wait()
        ended = time.monotonic() - began
        assert code == 1
        assert not other.leads()
        await one_leads((other,), 30)
        print(f"ended {ended:.1f} s after the cut, the other led {time.monotonic() - began:.1f} s after it")


async def test_an_operator_that_is_told_to_stop_leaves_the_lease_at_once(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    async with candidate(cluster, namespace, tmp_path, "leaving") as first:
        await one_leads((first,), 60)
        async with candidate(cluster, namespace, tmp_path, "coming") as second:
            await it_waits(second, 60)
            first.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                assert await first.process.wait() == 0
            took = await one_leads((second,), 10)
            print(f"the other led {took:.1f} s later")


async def test_an_operator_that_was_frozen_ends_when_it_wakes(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    async with candidate(cluster, namespace, tmp_path, "frozen") as first:
        await one_leads((first,), 60)
        first.process.send_signal(signal.SIGSTOP)
        async with candidate(cluster, namespace, tmp_path, "awake") as second:
            await one_leads((second,), 60)
            first.process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(10):
                assert await first.process.wait() == 1
            assert second.process.returncode is None
