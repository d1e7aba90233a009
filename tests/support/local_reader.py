"""Somebody who follows a document in a folder of this machine: writes its files, runs its commands, compares.

Used by the tests that run documents without a cluster; how blocks are marked is told in tests/support/readme.py.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.programs import need
from tests.support.readme import Block, differs
from tests.support.repository import REPOSITORY


class Reader:
    """Somebody who follows a document in a folder."""

    def __init__(self, folder: Path) -> None:
        need("curl")
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
        known = {"submission": "2587", "submissions": "2465"}
        self._ports |= {known[one["name"]]: str(one["port"]) for one in relay["listeners"] if one["name"] in known}
        self._environment["MAILHAUL_URL"] = relay["http"]

    def follow(self, all_blocks: list[Block]) -> None:
        """Write, run, and compare with the output that stands below, which mail may reach a moment later."""
        for number, block in enumerate(all_blocks):
            if block.language == "yaml" and block.name:
                self.write(block.name, block.text)
            elif (block.language, block.name) == ("sh", ""):
                expected = _expected_after(number, all_blocks)
                output = self._arrive(block.text, expected) if expected else self.run(block.text)
                missing = differs(expected, output)
                assert not missing, f"{block.text}printed\n{output}and not\n{missing}"

    def _arrive(self, command: str, expected: str) -> str:
        """Run a command that shows mail until it is there: it arrives a moment after the 250."""
        limit = time.monotonic() + 10
        while True:
            output = self.run(command)
            if not differs(expected, output) or time.monotonic() > limit:
                return output
            time.sleep(0.2)

    def stop(self) -> None:
        if self._up is not None:
            self._up.send_signal(signal.SIGINT)
            assert self._up.wait(30) == 0, "`mailhaul up` did not end well on Ctrl-C"
            self._up = None


def _expected_after(number: int, all_blocks: list[Block]) -> str:
    following = all_blocks[number + 1] if number + 1 < len(all_blocks) else Block("", "", "")
    return following.text if (following.language, following.name) == ("text", "") else ""
