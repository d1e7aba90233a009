"""250 means durable: whatever the spool said is stored is there after kill -9, and after a power cut at that moment.

A power cut is a kill that also loses every write, name and removal that was not synced (`faults/lose_unsynced.c`). To
know that these tests can fail, each sync is taken out in turn and the loss must be seen.
"""

import os
import random
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.faults.shims import PowerCut, build
from tests.support.faults.spool_driver import digest
from tests.support.repository import REPOSITORY

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.log import Log

pytestmark = pytest.mark.integration

ROUNDS = int(os.environ.get("MAILHAUL_KILL_ROUNDS", "8"))


class Ledger:
    """What the driver said over all rounds: fingerprints of messages that must be there."""

    def __init__(self) -> None:
        self.owed: dict[str, str] = {}
        self.accepted = 0

    def read(self, output: bytes) -> None:
        for line in output.decode().splitlines():
            if line.startswith("+"):
                message, fingerprint = line[1:].split()
                self.owed[message] = fingerprint
                self.accepted += 1
            elif line.startswith("-"):
                self.owed.pop(line[1:], None)


def run_until_killed(spool: Path, seconds: float, environment: dict[str, str], *options: str) -> bytes:
    """Load a spool, kill the process some time after its first accept, and give all that it had said."""
    command = [sys.executable, "-m", "tests.support.faults.spool_driver", str(spool), "--load", *options]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = b""
        try:
            while b"+" not in output:
                output += _more(process.stdout.fileno(), 30)
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                output += _more(process.stdout.fileno(), left)
        finally:
            process.kill()
        return output + process.stdout.read()


def _more(descriptor: int, seconds: float) -> bytes:
    if not select.select([descriptor], [], [], seconds)[0]:
        return b""
    piece = os.read(descriptor, 1 << 20)
    assert piece, "the driver ended by itself"
    return piece


async def missing(spool: Path, owed: dict[str, str]) -> list[str]:
    """Open a spool as a restarted relay does; give the owed messages that are gone or have other bytes."""
    store = await SqliteSpool.open(spool, Log(write=lambda _: None), settings=Settings(reserve=0))
    try:
        return [one for one, bytes_ in owed.items() if _fingerprint(await store.load(one)) != bytes_]
    finally:
        await store.close()


def _fingerprint(message: Message | None) -> str:
    if message is None:
        return "gone"
    assert {one.state for one in message.progress} <= {State.QUEUED, State.DEFERRED}
    body = message.body.data if message.body.path is None else Path(message.body.path).read_bytes()
    assert body is not None
    return digest(message.head, body)


async def test_nothing_accepted_is_lost_by_kill_9(tmp_path: Path) -> None:
    ledger = Ledger()
    for _ in range(ROUNDS):
        ledger.read(run_until_killed(tmp_path / "spool", random.uniform(0.05, 0.4), dict(os.environ)))
        assert await missing(tmp_path / "spool", ledger.owed) == []
    assert ledger.accepted > 10 * ROUNDS


async def test_nothing_accepted_is_lost_by_a_power_cut(tmp_path: Path) -> None:
    cut, ledger = _power_cut(tmp_path), Ledger()
    for _ in range(ROUNDS):
        ledger.read(run_until_killed(cut.root / "spool", random.uniform(0.05, 0.4), cut.environment()))
        cut.strike()
        assert await missing(cut.root / "spool", ledger.owed) == []
        cut.begin()
    assert ledger.accepted > 10 * ROUNDS


@pytest.mark.parametrize("sync", ["database", "body", "directory"])
async def test_a_power_cut_shows_when_any_sync_is_taken_out(tmp_path: Path, sync: str) -> None:
    cut, ledger = _power_cut(tmp_path), Ledger()
    ledger.read(run_until_killed(cut.root / "spool", 0.5, cut.environment(), "--without", sync))
    cut.strike()
    assert ledger.owed
    assert await missing(cut.root / "spool", ledger.owed)


def _power_cut(tmp_path: Path) -> PowerCut:
    root = tmp_path / "disk"
    root.mkdir()
    return PowerCut(build("lose_unsynced", tmp_path), root, tmp_path / "shadow")
