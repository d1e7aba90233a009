"""`mailhaul up` on the examples, with the real relay: mail arrives, edits are live, and nothing is left behind."""

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration
QUICKSTART = REPOSITORY / "examples" / "quickstart"
MAILHAUL = [sys.executable, "-m", "mailhaul_contract.console"]
MESSAGE = b"From: app@example.org\r\nTo: someone@example.com\r\nSubject: from a test\r\n\r\nhello\r\n"
INBOX = """
apiVersion: mailhaul.dev/v1alpha1
kind: UpstreamProvider
metadata: {name: inbox, namespace: smtp}
spec: {type: capture}
---
apiVersion: mailhaul.dev/v1alpha1
kind: SmtpRelay
metadata: {name: relay, namespace: smtp}
spec:
  hostname: relay.example.com
  upstreams: [{providerRef: {name: inbox}}]
  aliases: {domains: [{name: example.com}]}
---
apiVersion: mailhaul.dev/v1alpha1
kind: MailAlias
metadata: {name: sales, namespace: smtp}
spec:
  relayRef: {name: relay}
  addresses: [{value: sales@example.com}]
  destinations: [{name: alice, mailbox: {address: alice@example.net}}]
"""


class Up:
    """A running `mailhaul up` with its files."""

    def __init__(self, process: "subprocess.Popen[str]", directory: Path) -> None:
        self.process, self.directory = process, directory

    @property
    def ready_file(self) -> Path:
        return self.directory / "ready.json"

    def relay(self) -> dict[str, Any]:
        ready: dict[str, Any] = json.loads(self.ready_file.read_text())
        relay: dict[str, Any] = ready["relays"][0]
        return relay

    def send(self, *recipients: str) -> None:
        listener = self.relay()["listeners"][0]
        with smtplib.SMTP(listener["host"], listener["port"], timeout=10) as client:
            assert client.sendmail("app@example.org", list(recipients), MESSAGE) == {}

    def inbox(self) -> list[dict[str, Any]]:
        with urlopen(self.relay()["inbox"] + "/messages.json", timeout=5) as answer:
            messages: list[dict[str, Any]] = json.load(answer)["messages"]
            return messages

    def received(self) -> set[str]:
        return {recipient for message in self.inbox() for recipient in message["recipients"]}

    def output(self) -> str:
        return (self.directory / "up.log").read_text()

    def status(self, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [*MAILHAUL, "status", "--ready-file", str(self.ready_file), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def until(holds: Callable[[], bool], up: Up, seconds: float = 30.0) -> None:
    """Wait until something holds, or fail with what `up` said."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s; up said:\n{up.output()}"
        assert up.process.poll() is None, f"up ended:\n{up.output()}"
        time.sleep(0.05)


@contextmanager
def running(files: Path, directory: Path, *options: str, ends_with: int = 0) -> Iterator[Up]:
    """Run `mailhaul up` until it is ready; it is ended at the end whatever happens, and must end well."""
    command = [*MAILHAUL, "up", "-f", str(files), "--state-dir", str(directory / "state"), "--port-base", "0"]
    command += ["--ready-file", str(directory / "ready.json"), *options]
    with (directory / "up.log").open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, text=True)
    up = Up(process, directory)
    try:
        until(up.ready_file.exists, up)
        yield up
    finally:
        if process.poll() is None:
            process.terminate()
        assert process.wait(timeout=40) == ends_with, up.output()
        assert "Traceback" not in up.output()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "resources.yaml").write_text(INBOX)
    return tmp_path / "resources.yaml"


def test_mail_to_an_alias_of_the_quickstart_arrives_in_the_inbox(tmp_path: Path) -> None:
    """Its first upstream is not there, so the second takes the mail."""
    with running(QUICKSTART, tmp_path) as up:
        up.send("sales@example.com", "team+news@example.com", "someone@example.org")
        until(lambda: len(up.received()) == 3, up)
        assert up.received() == {"alice@example.net", "bob@example.org", "someone@example.org"}
        status = up.status()
        assert status.returncode == 0, status.stdout
        assert "smtp/smtp-relay: mail leaves" in status.stdout
        until(lambda: "inbox took" in up.output(), up)


def test_an_edit_is_live_within_seconds_and_restarts_nothing(files: Path, tmp_path: Path) -> None:
    with running(files, tmp_path) as up:
        before = up.relay()
        files.write_text(INBOX.replace("alice@example.net", "carol@example.net"))
        until(lambda: up.output().count("runs configuration") == 2, up)
        up.send("sales@example.com")
        until(lambda: up.received() == {"carol@example.net"}, up)
        assert up.relay() == before


def test_a_bad_edit_is_told_and_the_last_good_one_stays(files: Path, tmp_path: Path) -> None:
    with running(files, tmp_path) as up:
        files.write_text(INBOX.replace("hostname:", "hostnam:"))
        until(lambda: "the last good ones stay in force" in up.output(), up)
        assert "resources.yaml:11: Error Invalid: SmtpRelay smtp/relay spec.hostnam: unknown field" in up.output()
        up.send("sales@example.com")
        until(lambda: up.received() == {"alice@example.net"}, up)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_and_leaves_only_the_queue(
    files: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    with running(files, tmp_path) as up:
        pid = up.relay()["pid"]
        assert is_running(pid)
        up.process.send_signal(ending)
        assert up.process.wait(timeout=40) == 0
    assert not is_running(pid)
    assert not up.ready_file.exists()
    assert not (tmp_path / "state" / "up.json").exists()
    assert (tmp_path / "state" / "relays" / "smtp" / "relay" / "spool").is_dir()


def test_a_relay_that_is_killed_is_started_again_and_its_mail_is_still_there(files: Path, tmp_path: Path) -> None:
    with running(files, tmp_path) as up:
        up.send("sales@example.com")
        until(lambda: up.received() == {"alice@example.net"}, up)
        first = up.relay()["pid"]
        os.kill(first, signal.SIGKILL)
        until(lambda: up.relay()["pid"] != first, up)
        assert "smtp/relay: died (SIGKILL); starts again in 0.5 s" in up.output()
        assert up.received() == {"alice@example.net"}


def test_no_relay_outlives_an_up_that_is_killed(files: Path, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("needs Linux: a process is told there that its parent died")
    with running(files, tmp_path, ends_with=-signal.SIGKILL) as up:
        pid = up.relay()["pid"]
        up.process.kill()
        up.process.wait(timeout=10)
        end = time.monotonic() + 30
        while is_running(pid):
            assert time.monotonic() < end
            time.sleep(0.05)


def test_two_ups_on_one_state_directory_are_refused(files: Path, tmp_path: Path) -> None:
    with running(files, tmp_path):
        command = [*MAILHAUL, "up", "-f", str(files), "--state-dir", str(tmp_path / "state")]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "another `mailhaul up` runs on" in second.stderr


def test_a_secret_from_the_environment_reaches_the_relay_and_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILHAUL_TEST_PASSWORD", "correct-horse-battery")
    option = "smtp/provider:password=MAILHAUL_TEST_PASSWORD"
    with running(QUICKSTART, tmp_path, "--env-secret", option) as up:
        secrets = tmp_path / "state" / "relays" / "smtp" / "smtp-relay" / "secrets"
        assert (secrets / "provider.provider.password").read_text() == "correct-horse-battery"
        command = Path(f"/proc/{up.relay()['pid']}/cmdline")
        assert not command.exists() or b"correct-horse" not in command.read_bytes()
    assert "correct-horse" not in up.output()


def test_mail_that_cannot_leave_is_told_with_cause_remedy_and_exit_code_1(files: Path, tmp_path: Path) -> None:
    refused = "{type: smtp, host: 127.0.0.1, port: 1, tls: {mode: None}, auth: {mechanism: None}}"
    files.write_text(INBOX.replace("{type: capture}", refused))
    with running(files, tmp_path) as up:
        up.send("sales@example.com")
        until(lambda: "mail does not leave" in up.output(), up)
        status = up.status("-o", "json")
        assert status.returncode == 1
        (relay,) = json.loads(status.stdout)
        assert relay["mailLeaves"] is False
        assert relay["causes"][0]["reason"] == "UpstreamOut"
        assert relay["causes"][0]["remedy"]
