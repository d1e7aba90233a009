"""Every command and manifest of the README runs as it stands there, and prints what the README says."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.programs import need
from tests.support.readme import Block, blocks, differs
from tests.support.repository import REPOSITORY
from tests.support.skips import skip_line

pytestmark = [pytest.mark.integration, pytest.mark.slow]
README = REPOSITORY / "README.md"
NOT_HERE = ("make demo\n", "make test\n")
"""`make demo` is run below, `make test` is what runs this."""


class Reader:
    """Somebody who follows the README in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready = folder / "ready.json"
        self._ports: dict[str, str] = {}
        self._up: subprocess.Popen[bytes] | None = None
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("MAILHAUL_", "KUBE"))
        } | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "MAILTRAP_TOKEN": "not-a-token"}

    def write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")

    def run(self, commands: str) -> str:
        """Run commands and give their output; `mailhaul up` stays until the next one or `stop`."""
        if commands.startswith("mailhaul up "):
            self._run_up(commands)
            return ""
        for documented, actual in self._ports.items():
            commands = commands.replace(documented, actual)
        commands = commands.replace("make ", f"make -C {REPOSITORY} ")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout

    def _run_up(self, command: str) -> None:
        self.stop()
        shutil.rmtree(self._folder / ".mailhaul", ignore_errors=True)
        words = ["exec", command.strip(), "--port-base", "0", "--ready-file", str(self._ready)]
        self._up = subprocess.Popen(["bash", "-c", " ".join(words)], cwd=self._folder, env=self._environment)
        limit = time.monotonic() + 20
        while not self._ready.exists():
            assert self._up.poll() is None, f"{command} ended"
            assert time.monotonic() < limit, f"{command} was not ready in time"
            time.sleep(0.05)
        relay = json.loads(self._ready.read_text(encoding="utf-8"))["relays"][0]
        self._ports = {
            "2525": str(relay["listeners"][0]["port"]),
            "127.0.0.1:9090": relay["http"].removeprefix("http://"),
        }
        self._environment["MAILHAUL_URL"] = relay["http"]

    def stop(self) -> None:
        if self._up is not None:
            self._up.send_signal(signal.SIGINT)
            assert self._up.wait(30) == 0, "`mailhaul up` did not end well on Ctrl-C"
            self._up = None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    need("curl")
    with ExitStack() as stack:
        one = Reader(tmp_path)
        stack.callback(one.stop)
        yield one


def _arrive(reader: Reader, command: str, expected: str) -> str:
    """Run a command that shows mail until it is there: it arrives a moment after the 250."""
    limit = time.monotonic() + 10
    while True:
        output = reader.run(command)
        if not differs(expected, output) or time.monotonic() > limit:
            return output
        time.sleep(0.2)


def _expected_after(number: int, all_blocks: list[Block]) -> str:
    following = all_blocks[number + 1] if number + 1 < len(all_blocks) else Block("", "", "")
    return following.text if (following.language, following.name) == ("text", "") else ""


def test_commands_and_manifests_run_in_order(reader: Reader) -> None:
    all_blocks = blocks(README)
    for number, block in enumerate(all_blocks):
        if block.language == "yaml":
            reader.write(block.name, block.text)
        elif (block.language, block.name) == ("sh", "") and block.text not in NOT_HERE:
            expected = _expected_after(number, all_blocks)
            output = _arrive(reader, block.text, expected) if expected else reader.run(block.text)
            missing = differs(expected, output)
            assert not missing, f"{block.text}printed\n{output}and not\n{missing}"


def test_each_block_is_something_that_is_run_or_compared() -> None:
    known = {("yaml", True), ("sh", False), ("text", False), ("text", True)}
    elsewhere = ("sh", "cluster")  # tests/e2e/test_documents_in_cluster.py
    assert not [
        block
        for block in blocks(README)
        if (block.language, bool(block.name)) not in known and (block.language, block.name) != elsewhere
    ]


def test_the_demo_prints_what_the_readme_shows() -> None:
    shown = next(block.text for block in blocks(README) if block.name == "demo")
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(REPOSITORY), "demo"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not differs(shown, done.stdout)


def test_what_make_test_ends_with_has_the_form_that_the_readme_shows() -> None:
    shown = next(block.text for block in blocks(README) if block.name == "test").splitlines()
    assert re.fullmatch(r"=+ \d+ passed.* in [\d.]+s.* =+", shown[0])
    assert shown[-1] == skip_line(Counter())
