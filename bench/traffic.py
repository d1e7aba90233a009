"""The load generator and the sink, as Python sees them: compiled once from `native/`, spoken to by JSON lines."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from bench.cases import Case

SOURCES = Path(__file__).resolve().parent / "native"
LOAD_LIMIT = 300
"""Seconds that one run's load may take at most."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Paths of the two compiled programs."""

    load: Path
    sink: Path


def build(folder: Path) -> Traffic:
    """Compile what is older than its sources into `folder`. Raises CalledProcessError with gcc's own words."""
    folder.mkdir(parents=True, exist_ok=True)
    newest = max(source.stat().st_mtime for source in SOURCES.iterdir())
    for name in ("load", "sink"):
        program = folder / name
        if not program.exists() or program.stat().st_mtime < newest:
            sources = [str(SOURCES / f"{name}.c"), str(SOURCES / "wire.c")]
            subprocess.run(["gcc", "-O2", "-o", str(program), *sources], check=True, timeout=120)
    return Traffic(folder / "load", folder / "sink")


class Sink:
    """The server that takes everything. It is a child with pipes and ends when they close."""

    def __init__(self, program: Path, port: int) -> None:
        self._process = subprocess.Popen(
            [program, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        first = self._answers.readline()
        if not first:
            raise RuntimeError(f"the sink could not listen on 127.0.0.1:{port}; is the port taken?")
        self.port = int(json.loads(first)["port"])

    @property
    def _answers(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _ask(self, question: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        return self._answers.readline().strip()

    def begin(self, run: str) -> None:
        """Forget all figures and count the messages of this run only."""
        self._ask(f"begin {run}")

    def count(self) -> int:
        """Give how many messages of the run have arrived, each counted once."""
        return int(self._ask("count"))

    def report(self) -> dict[str, Any]:
        """Give the figures that `native/sink.c` documents."""
        report: dict[str, Any] = json.loads(self._ask("report"))
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._answers.close()


class Load:
    """One run of the load generator, begun when this is made."""

    def __init__(self, program: Path, port: int, run: str, case: Case) -> None:
        words = (program, "127.0.0.1", port, run, case.count, case.size, case.sessions, case.mode, case.rate)
        self._process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)

    def ended(self) -> bool:
        """Whether the last message was answered."""
        return self._process.poll() is not None

    def result(self) -> dict[str, Any]:
        """Wait for the end and give the figures that `native/load.c` prints."""
        output, _ = self._process.communicate(timeout=LOAD_LIMIT)
        result: dict[str, Any] = json.loads(output)
        return result

    def stop(self) -> None:
        """End it at once, when a run is given up."""
        if not self.ended():
            self._process.kill()
            self._process.wait()
