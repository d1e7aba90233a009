"""250 means durable, for the whole relay: `kill -9` under load, round after round, loses nothing that was answered 250.

Doubles are what a kill may cost: a message whose final dot the upstream had answered, and whose removal was not
committed yet. So each kill may double at most what was in flight: one transmission for each connection of the upstream,
and what the upstream had answered within one commit before the kill. `lose_unsynced` makes the kill a power cut:
everything that was not synced is gone too; to know that this test can fail, the syncs are taken away from the relay.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.faults.shims import PowerCut, build
from tests.support.ledger import Clients, Ledger
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROUNDS = int(os.environ.get("MAILHAUL_RELAY_KILL_ROUNDS", "50"))
CUTS = max(1, ROUNDS // 10)
CONNECTIONS = 8
COMMIT = 2.0
"""Seconds within which the removal of a delivered message is committed, on a busy machine."""
DYING = 2.0
"""Seconds after a kill in which the upstream may still read and answer what the relay had sent."""
IN_FLIGHT = CONNECTIONS
"""Messages that one kill may double: one on each connection of the upstream."""

MOODS: tuple[dict[str, Any], ...] = (
    {},
    {"steps": {"dot": {"delay": 0.1}}},
    {"steps": {"mail": {"delay": 0.05}, "rcpt": {"reply": "451 4.3.0 try later", "times": 5}}},
    {"steps": {"dot": {"reply": "451 4.3.0 try later", "times": 3}}},
    {"steps": {"mail": {"action": "drop", "times": 1}}, "close_after": 3},
    {"steps": {"dot": {"action": "drop", "times": 1}}},
    {"connect": "refuse"},
)


@dataclass
class Kills:
    """When each relay was killed, and when the upstream answered 250 to each message for the first time."""

    ledger: Ledger = field(default_factory=Ledger)
    answered: dict[str, float] = field(default_factory=dict)
    struck: list[float] = field(default_factory=list)

    def watch(self, server: ScriptedServer) -> None:
        self.ledger.watch(server)
        take = server.at_message

        def noted(number: int) -> None:
            take(number)
            for sequence in self.ledger.arrivals.keys() - self.answered.keys():
                self.answered[sequence] = time.monotonic()

        server.at_message = noted

    @property
    def unexplained(self) -> dict[str, float]:
        """Doubled messages that were answered long before any kill: seconds from the answer to the next kill."""
        waits = {
            one: min((at - self.answered[one] for at in self.struck if at > self.answered[one] - DYING), default=1e9)
            for one in self.ledger.doubled
        }
        return {one: seconds for one, seconds in waits.items() if seconds > COMMIT}


def document(server: ScriptedServer, port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    upstream = {
        "name": "up", "provider": "up", "host": host, "port": server.port, "tls": {"mode": "None"},
        "connections": {"max": CONNECTIONS, "addressFamily": "IPv4"},
    }  # fmt: skip
    return relay_document([upstream], port, queue={"retry": {"initial": 1, "max": 2}})


async def strike(relay: RelayProcess, kills: Kills, seconds: float) -> None:
    """Load a relay with several clients and kill it in the middle."""
    clients = Clients(kills.ledger, relay.smtp)
    load = asyncio.create_task(clients.run(6))
    await asyncio.sleep(seconds)
    kills.struck.append(time.monotonic())
    await relay.kill()
    clients.stop()
    await asyncio.wait_for(load, 20)


@asynccontextmanager
async def drained(
    directory: Path, server: ScriptedServer, port: int, kills: Kills, limit: float = 90.0
) -> AsyncIterator[RelayProcess]:
    """A last relay on the spool, with an upstream in good health; its breaker is forgotten with the changed name."""
    server.play({})
    await server.settled()
    async with running_relay(directory, document(server, port, "localhost")) as relay:
        await kills.ledger.settled(limit)
        yield relay


async def test_fifty_kills_under_load_lose_nothing_and_double_no_more_than_was_in_flight(
    tmp_path: Path, free_port: int
) -> None:
    kills = Kills()
    async with ScriptedServer() as server:
        kills.watch(server)
        for number in range(ROUNDS):
            server.play(MOODS[number % len(MOODS)])
            await server.settled()
            async with running_relay(tmp_path, document(server, free_port)) as relay:
                await strike(relay, kills, random.uniform(0.05, 0.9))
        async with drained(tmp_path, server, free_port, kills) as relay:
            report = await relay.until("/v1/report", lambda one: not any(_waiting(one)))
    ledger = kills.ledger
    doubled = sum(ledger.doubled.values())
    print(
        f"{ROUNDS} kills: {len(ledger.promised)} promised, 0 lost, {doubled} doubled of {ROUNDS * IN_FLIGHT} in flight"
    )
    assert ledger.lost == []
    assert ledger.damaged == []
    assert len(ledger.promised) > 5 * ROUNDS
    assert kills.unexplained == {}
    assert doubled <= ROUNDS * IN_FLIGHT
    assert report["queue"]["quarantined"] == 0


def _waiting(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report["queue"].get(state, 0) for state in ("queued", "deferred", "held", "dead"))


async def _power_cuts(
    tmp_path: Path, port: int, rounds: int, deaf: str = "", seconds: tuple[float, float] = (0.2, 0.8)
) -> Ledger:
    """Kill a relay under load and lose what was not synced, so many times; then let it drain."""
    kills = Kills()
    disk = tmp_path / "spool"
    disk.mkdir()
    cut = PowerCut(build("lose_unsynced", tmp_path), disk, tmp_path / "shadow")
    async with ScriptedServer({"connect": "refuse"}) as server:
        kills.watch(server)
        for _ in range(rounds):
            shimmed = cut.environment() | {"LOSE_DEAF": deaf}
            async with running_relay(tmp_path, document(server, port), environment=shimmed) as relay:
                await strike(relay, kills, random.uniform(*seconds))
            cut.strike()
        async with drained(tmp_path, server, port, kills, 3.0 if deaf else 90.0):
            pass
    return kills.ledger


async def test_power_cuts_under_load_lose_nothing(tmp_path: Path, free_port: int) -> None:
    ledger = await _power_cuts(tmp_path, free_port, CUTS)
    assert len(ledger.promised) > 5 * CUTS
    assert ledger.lost == []
    assert ledger.damaged == []


@pytest.mark.parametrize(
    ("deaf", "seconds"),
    [
        ("spool.db-wal$", (0.4, 0.8)),
        ("spool.db$", (3.0, 4.0)),
        ("/bodies/", (0.4, 0.8)),
        ("/bodies$", (0.4, 0.8)),
        ("/spool$", (0.4, 0.8)),
    ],
    ids=["log", "database at a checkpoint", "bodies", "names of bodies", "names of the database"],
)
async def test_power_cuts_show_when_any_sync_does_nothing(
    tmp_path: Path, free_port: int, deaf: str, seconds: tuple[float, float]
) -> None:
    ledger = await _power_cuts(tmp_path, free_port, 1, deaf, seconds)
    assert ledger.lost or ledger.damaged
