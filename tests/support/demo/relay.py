"""The demo's relay: `mailhaul up` on a copy of the quickstart, used by its commands and files as a person would."""

import json
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support.demo.ledger import Arrival, Mail
from tests.support.repository import REPOSITORY

QUICKSTART = REPOSITORY / "examples" / "quickstart"
START_LIMIT = 20.0
STOP_LIMIT = 30.0


class Relay:
    """A running `mailhaul up`. The copy exists because the demo edits it, and because port 2600 may be taken."""

    def __init__(self, folder: Path, provider_port: int) -> None:
        self._files = folder / "quickstart"
        shutil.copytree(QUICKSTART, self._files)
        self.edit("port: 2600", f"port: {provider_port}")
        self._state = folder / "state"
        self._ready = folder / "ready.json"
        self._output = folder / "up.log"
        # Nothing here speaks to a cluster; a KUBECONFIG is hidden all the same.
        self._environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it, and wait until mail is accepted."""
        words: list[str | Path] = [
            "up",
            "-f",
            self._files,
            "--state-dir",
            self._state,
            "--port-base",
            "0",
            "--ready-file",
            self._ready,
        ]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(*words, "-o", "plain"), stdout=output, stderr=output, env=self._environment
            )
        limit = time.monotonic() + START_LIMIT
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > limit:
                said = self._output.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise RuntimeError(f"`mailhaul up` accepted no mail within {START_LIMIT:.0f} s; it said:\n{said}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ctrl-C."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def address(self) -> tuple[str, int]:
        """Where apps send to."""
        listener = self._facts()["listeners"][0]
        return listener["host"], listener["port"]

    def send(self, mail: Mail) -> None:
        """Send as an app does: no credentials, no encryption. Raises RuntimeError when the relay refuses it."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = mail.sender, ", ".join(mail.to), mail.subject
        message.set_content(f"This is the mail {mail.subject!r} of the demo.\n")
        try:
            with smtplib.SMTP(*self.address, timeout=10) as client:
                refused = client.send_message(message, mail.sender, mail.to)
        except smtplib.SMTPException as error:
            raise RuntimeError(f"the relay did not take {mail.subject!r}: {error}") from error
        if refused:
            raise RuntimeError(f"the relay refused recipients of {mail.subject!r}: {refused}")

    def arrivals(self) -> list[Arrival]:
        """Give what is in the inbox."""
        with urlopen(f"{self._facts()['inbox']}/messages.json", timeout=5) as answer:
            kept = json.load(answer)["messages"]
        return [Arrival(one["subject"], mailbox, one["upstream"]) for one in kept for mailbox in one["recipients"]]

    def status(self) -> str:
        """Give what `mailhaul status` prints."""
        return self._run("status", "--state-dir", self._state).stdout

    def report(self) -> dict[str, Any]:
        """Give the relay's report, as `mailhaul status -o json` has it."""
        output = self._run("status", "--state-dir", self._state, "-o", "json").stdout
        report: dict[str, Any] = json.loads(output)[0]["report"]
        return report

    def edit(self, old: str, new: str) -> None:
        """Change a text in the resources' files, as with an editor."""
        for file in self._files.iterdir():
            text = file.read_text(encoding="utf-8")
            if old in text:
                file.write_text(text.replace(old, new), encoding="utf-8")
                return
        raise RuntimeError(f"{QUICKSTART} has no {old!r} any more; the demo edits it")

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self._ready.read_text(encoding="utf-8"))["relays"][0]
        return facts

    def _run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        command = self._command(*words)
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=self._environment)

    def _command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "mailhaul_contract.console", *map(str, words)]
