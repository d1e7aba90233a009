"""Whether mail that waits for dead upstreams delays mail for another: the same load through two relays in turn, one of
which has a long backlog.

    python -m bench.fairness [--waiting 100000] [--reps 5] [--case 4k:20:reuse] [--settle 0]

Half of the backlog waits for an upstream that refuses connections, half for one that takes them and never says a word.
All of it lies in the relay's own spool before it starts, never tried; routes by recipient domain lead it there. While
one relay is measured the other is stopped, so the first rounds meet a relay that has not yet looked at its backlog:
`--settle 120` lets it do that before.
Prints how long the start took, the memory and the usual tables; exit code 1 when a bound is missed or mail was lost.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.__main__ import WORK, free_port_pair, measure, stop_well_on_sigterm
from bench.cases import Case, parse_case
from bench.relay import Relay
from bench.rounds import Bench, Run, Target
from bench.table import figures_table, ratios, ratios_table
from bench.traffic import Sink, build

from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Progress, Recipient
from mailhaul_relay.ports.chance import message_id
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.lines import LineWriter
from mailhaul_relay.telemetry.log import Log

CASE = "4k:20:reuse"
WAITING = 100_000
LEAST_RATE = 0.9
"""Of the usual rate, end to end."""
START_LIMIT = 5.0
AT_ONCE = 2000
DEAD = ("refusing", "silent")
BODY = (b"x" * 76 + b"\r\n") * 52


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and give the exit code."""
    options = _parser().parse_args(arguments)
    stop_well_on_sigterm()
    work = options.work.resolve()
    traffic = build(work / "bin")
    with ExitStack() as stack:
        more = dead_upstreams(stack)
        sink = stack.enter_context(Sink(traffic.sink, free_port_pair()))
        usual = Relay(work / "usual", free_port_pair(), sink.port, more)
        stack.callback(usual.stop)
        loaded = Relay(work / "loaded", free_port_pair(), sink.port, more, lambda spool: fill(spool, options.waiting))
        stack.callback(loaded.stop)
        memory = loaded.target.tree.pss()
        targets = [replace(usual.target, name="usual"), replace(loaded.target, name="loaded")]
        time.sleep(options.settle)
        runs = list(measure(Alone(traffic, sink, tuple(targets)), targets, [parse_case(options.case)], options.reps))
    sys.stdout.write(f"\n{figures_table(runs)}\n\n{ratios_table(runs)}\n")
    sys.stdout.write(
        f"\nstart with {options.waiting} waiting: {loaded.ready_after:.1f} s, memory then {memory:.0f} MiB\n"
    )
    return int(not kept(runs, options.case) or loaded.ready_after > START_LIMIT)


@dataclass(frozen=True, slots=True)
class Alone(Bench):
    """A bench that stops the other relay during each run: what it does with its backlog is not to slow this one."""

    targets: tuple[Target, ...]

    def run(self, target: Target, case: Case, number: int) -> Run:
        """Send one case through one target while the others stand still."""
        others = [one.pid for one in self.targets if one.pid != target.pid]
        try:
            for pid in others:
                os.kill(pid, signal.SIGSTOP)
            return Bench.run(self, target, case, number)
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)


def dead_upstreams(stack: ExitStack) -> dict[str, Any]:
    """Give the part of the configuration with both dead upstreams and the routes to them; their ports are held."""
    upstreams = []
    routes = [{"name": "flowing", "match": {"recipientDomains": ["bench.example"]}, "upstreams": ["sink"]}]
    for name in DEAD:
        held = stack.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))
        if name == "silent":
            held.listen(1024)
        port = held.getsockname()[1]
        upstreams.append({"name": name, "provider": name, "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}})
        routes.append({"name": name, "match": {"recipientDomains": [f"{name}.example"]}, "upstreams": [name]})
    return {"upstreams": upstreams, "routes": routes, "queue": {"highWatermark": 10 * WAITING}}


def fill(spool: Path, count: int) -> None:
    """Put messages of 4 KiB into a spool, in turn for each dead upstream, as the relay itself would keep them."""
    sys.stderr.write(f"bench: putting {count} messages into the spool\n")
    asyncio.run(_fill(spool, count))


async def _fill(directory: Path, count: int) -> None:
    lines = LineWriter()
    spool = await SqliteSpool.open(directory, Log(lines))
    for begin in range(0, count, AT_ONCE):
        await asyncio.gather(*(spool.accept(_message(at)) for at in range(begin, min(begin + AT_ONCE, count))))
    await spool.close()
    lines.close()


def _message(at: int) -> Message:
    now, address = time.time(), f"user{at}@{DEAD[at % len(DEAD)]}.example"
    head = f"From: app@example.com\r\nTo: {address}\r\nSubject: {at}\r\n\r\n".encode()
    envelope = Envelope(
        message_id(now), "app@example.com", (Recipient(address, address),), "example.com", Origin.SUBMISSION, now,
        len(head) + len(BODY), "127.0.0.1",
    )  # fmt: skip
    return Message(envelope, head, Body(len(BODY), BODY), (Progress(),))


def kept(runs: list[Run], case: str) -> bool:
    """Whether the loaded relay was about as fast as the other, and no mail was lost, doubled or damaged."""
    rate = ratios(runs, "usual", "loaded", case)["e2e/s"][0]
    sys.stdout.write(f"\nwith the backlog: {rate:.2f} of the usual rate; at least {LEAST_RATE} are wanted\n")
    return rate >= LEAST_RATE and not any(run.lost or run.duplicates or run.damaged or run.failed for run in runs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--waiting", type=int, default=WAITING, help="messages of the backlog (default: %(default)s)")
    parser.add_argument("--case", default=CASE, help="the load (default: %(default)s)")
    parser.add_argument("--reps", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--settle", type=float, default=0.0, help="seconds before the first round (default: 0)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of the spools (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
