"""A listener for a process of its own, whose spool keeps nothing: only what the listener holds is in its memory."""

import asyncio
import os
from multiprocessing.connection import Connection

from tests.support.listening import BASE, FakeIntake
from tests.support.memory_spool import MemorySpool

from mailhaul_contract.config import RelayConfig
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.ports.clock import wall_clock
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.listener import Listener
from mailhaul_relay.smtpin.reception import Services
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally


def serve(control: Connection, limits: dict[str, int]) -> None:
    """Listen until something is received; send the port first and the counts last."""
    asyncio.run(_serve(control, limits))


async def _serve(control: Connection, limits: dict[str, int]) -> None:
    running = compile_running(RelayConfig.from_json({**BASE, "limits": limits}), Secrets(), "")
    assert isinstance(running, Running)
    spool = MemorySpool(keeps_bytes=False)
    tally = Tally()
    with open(os.devnull, "w", encoding="utf-8") as sink:  # noqa: ASYNC230 - once, before anything runs
        services = Services(
            FakeIntake(running, spool),
            ConnectionGate(),
            tally,
            Log(lambda line: print(line, end="", file=sink)),
            wall_clock,
        )
        listener = await Listener.open(running.config.listeners[0], "127.0.0.1", services, port=0)
        control.send(listener.port)
        await asyncio.get_running_loop().run_in_executor(None, control.recv)
        await listener.stop(0)
    control.send({"refused": dict(tally.refused), "sessions_open": tally.sessions_open})
