"""An operator under measurement: started as in a pod, stopped as a pod is, and what it says of itself meanwhile.

Used by `operator_scale`. Its figures come from /proc and from its own `/metrics`. Failures: an operator that ends with
another exit code than 0 is told on standard error with the end of its log; one that never answers ends the bench.
"""

import asyncio
import os
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from tempfile import TemporaryFile, gettempdir

from bench.measure import ProcessTree
from prometheus_client.parser import text_string_to_metric_families

WRITES = frozenset({"apply", "create", "delete", "patch"})


@dataclass(frozen=True, slots=True)
class Told:
    """What its metrics say: passes by kind, keys that wait for a worker, requests by verb and kind."""

    passes: Mapping[str, int]
    waiting: int
    requests: Mapping[tuple[str, str], int]

    @property
    def writes(self) -> int:
        """How many requests were to change something."""
        return sum(count for (verb, _), count in self.requests.items() if verb in WRITES)


@dataclass(frozen=True, slots=True)
class Running:
    """An operator that runs."""

    process: asyncio.subprocess.Process
    metrics_port: int

    def cpu(self) -> float:
        """Give the CPU seconds that it has used."""
        return ProcessTree(self.process.pid).cpu()

    def memory(self) -> float:
        """Give its proportional set size in MiB."""
        return ProcessTree(self.process.pid).pss()

    async def told(self) -> Told:
        """Read its metrics; all is zero until it answers. Ends the bench when the operator has ended."""
        if self.process.returncode is not None:
            raise SystemExit(f"bench: the operator ended by itself with {self.process.returncode}")
        return _told(await asyncio.to_thread(self._read))

    def _read(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return ""


@asynccontextmanager
async def operator(arguments: Sequence[str]) -> AsyncIterator[Running]:
    """Run the operator with these arguments; it logs warnings, and its pages are on free ports."""
    with create_server(("127.0.0.1", 0)) as socket:
        port = socket.getsockname()[1]
    own = ["--lease-name=mailhaul-bench", f"--metrics-port={port}", "--health-port=0", "--log-level=warning"]
    command = [sys.executable, "-m", "mailhaul_contract.console", "operator", *arguments, *own]
    with TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=_environment())
        try:
            yield Running(process, port)
        finally:
            if process.returncode is None:
                process.terminate()
            code = await asyncio.wait_for(process.wait(), 60)
            log.seek(0)
            words = log.read().decode()[-2000:]
            if code != 0 or words:
                sys.stderr.write(f"bench: the operator ended with {code}\n{words}\n")


def _environment() -> dict[str, str]:
    """Give the environment of an operator whose modules are compiled once, as they are in its image."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(gettempdir()) / "mailhaul-bench-operator")}


def _told(text: str) -> Told:
    passes: dict[str, int] = {}
    requests: dict[tuple[str, str], int] = {}
    waiting = 0
    for sample in (one for family in text_string_to_metric_families(text) for one in family.samples):
        if sample.name == "mailhaul_operator_reconciles_total":
            passes[sample.labels["kind"]] = passes.get(sample.labels["kind"], 0) + int(sample.value)
        elif sample.name == "mailhaul_operator_api_requests_total":
            requests[sample.labels["verb"], sample.labels["kind"]] = int(sample.value)
        elif sample.name == "mailhaul_operator_queue_depth":
            waiting = int(sample.value)
    return Told(passes, waiting, requests)
