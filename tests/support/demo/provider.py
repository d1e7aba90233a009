"""The demo's mail provider: the scripted server as a process, so that it can really be stopped.

It asks for the quickstart's user name and password. What it took is read from its log, which outlives it.
"""

import json
import socket
import subprocess
import sys
import time
from email import message_from_bytes
from pathlib import Path
from typing import Any

from tests.support.demo.ledger import Arrival
from tests.support.repository import REPOSITORY

USER = "quickstart"
START_LIMIT = 10.0


class Provider:
    """A server on one port of loopback; `start`, `play` a script, `stop`."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.port = port
        self.password = password
        self._log = folder / "provider-messages.jsonl"
        self._ready = folder / "provider-ready.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **steps: str) -> None:
        """Listen, and answer as usual but for the given steps."""
        self._ready.unlink(missing_ok=True)
        words = [
            "--port",
            str(self.port),
            "--control-port",
            "0",
            "--log",
            str(self._log),
            "--ready-file",
            str(self._ready),
        ]
        command = [sys.executable, "-m", "tests.support.scripted_server", *words]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + START_LIMIT
        while not (self._ready.exists() and self._ready.read_text(encoding="utf-8")):
            if time.monotonic() > limit or self._process.poll() is not None:
                raise RuntimeError(f"the demo's provider does not listen on 127.0.0.1:{self.port}")
            time.sleep(0.02)
        self.play(**steps)

    def play(self, **steps: Any) -> None:  # noqa: ANN401 - steps of tests/support/smtp_script.py, in either form
        """Answer as usual but for the given steps, from the next command on."""
        script = {"accounts": {USER: self.password}, "steps": steps}
        control = json.loads(self._ready.read_text(encoding="utf-8"))["control_port"]
        with socket.create_connection(("127.0.0.1", control), timeout=5) as connection:
            connection.sendall(json.dumps({"script": script}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        if answer != {"ok": True}:
            raise RuntimeError(f"the demo's provider refused its script: {answer}")

    def stop(self) -> None:
        """End: connections break and nothing listens."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def arrivals(self) -> list[Arrival]:
        """Give what it answered 250 to, in all of its lives."""
        if not self._log.exists():
            return []
        kept = [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]
        return [
            Arrival(str(message_from_bytes(one["data"].encode("latin-1"))["Subject"]), mailbox, "provider")
            for one in kept
            if one["reply"].startswith("2")
            for mailbox in one["recipients"]
        ]
