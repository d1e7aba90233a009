"""Runs: one case through one target, and rounds that take the targets in turn (A B A B), so that both meet the
machine in the same mood. A run during which others used the machine is repeated."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bench.cases import Case, parse_case
from bench.measure import Moment, PeakMemory, ProcessTree, own_cpu
from bench.traffic import Load, Sink, Traffic

DRAIN_LIMIT = 120.0
"""Seconds that accepted mail may take to arrive after the load has ended."""
STALL_LIMIT = 15.0
"""Seconds without any arrival after which the rest counts as lost."""
WARM_UP = parse_case("4k:10:conn:200")
NOISE_LIMIT = 0.3
"""CPU cores that processes outside of the bench may use; above that a run is repeated, twice at most."""
SETTLE = 0.3


@dataclass(frozen=True, slots=True)
class Target:
    """A relay that listens on a port of 127.0.0.1, and its topmost process."""

    name: str
    port: int
    pid: int

    @property
    def tree(self) -> ProcessTree:
        """The relay with all of its processes."""
        return ProcessTree(self.pid)


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run. Rates in messages a second, times in milliseconds, memory in MiB of PSS."""

    target: str
    case: str
    round: int
    accept_rate: float
    e2e_rate: float
    accept_ms: dict[str, float]
    e2e_ms: dict[str, float]
    cpu_per_1000: float
    pss_idle: float
    pss_peak: float
    noise: float
    accepted: int
    failed: int
    error: str
    lost: int
    duplicates: int
    damaged: int
    upstream_connections: int

    def to_json(self) -> dict[str, Any]:
        """Give all figures by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Bench:
    """The sink that all targets deliver to, and the load generator."""

    traffic: Traffic
    sink: Sink

    def warm_up(self, target: Target) -> None:
        """Send a few messages, so that processes and files exist."""
        self.run(target, WARM_UP, 0)

    def rounds(self, targets: list[Target], case: Case, count: int, show: Callable[[Run], None]) -> Iterator[Run]:
        """Give the runs of one case, the targets in turn."""
        for number in range(count):
            for target in targets:
                run = self._quiet_run(target, case, number)
                show(run)
                yield run

    def _quiet_run(self, target: Target, case: Case, number: int) -> Run:
        for _ in range(2):
            run = self.run(target, case, number)
            if run.noise <= NOISE_LIMIT:
                return run
        return self.run(target, case, number)

    def run(self, target: Target, case: Case, number: int) -> Run:
        """Send one case through one target and wait until everything that it accepted has arrived."""
        name = f"r{os.getpid()}x{time.monotonic_ns():x}"[:31]
        tree = target.tree
        idle = tree.pss()
        self.sink.begin(name)
        sink_cpu, own, relay_cpu, before = self.sink.report()["cpu_s"], own_cpu(), tree.cpu(), Moment.now()
        with PeakMemory(tree) as memory:
            load = self._deliver(target, case, name)
        after, cpu = Moment.now(), tree.cpu() - relay_cpu
        report = self.sink.report()
        bench_cpu = own_cpu() - own + report["cpu_s"] - sink_cpu
        accepted, arrived = int(load["accepted"]), int(report["unique"])
        time.sleep(SETTLE)
        return Run(
            target=target.name,
            case=case.name,
            round=number,
            accept_rate=_rate(accepted, load["last_ns"] - load["start_ns"]),
            e2e_rate=_rate(arrived, report["last_ns"] - load["start_ns"]),
            accept_ms=load["accept_ms"],
            e2e_ms=report["latency_ms"],
            cpu_per_1000=cpu / max(1, accepted) * 1000,
            pss_idle=idle,
            pss_peak=memory.mib,
            noise=max(0.0, after.busy - before.busy - cpu - bench_cpu) / (after.wall - before.wall),
            accepted=accepted,
            failed=int(load["failed"]),
            error=str(load["error"]),
            lost=max(0, accepted - arrived),
            duplicates=int(report["duplicates"]),
            damaged=int(report["damaged"]),
            upstream_connections=int(report["connections"]),
        )

    def _deliver(self, target: Target, case: Case, name: str) -> dict[str, Any]:
        load = Load(self.traffic.load, target.port, name, case)
        try:
            result = load.result()
        finally:
            load.stop()
        arrived, moved, limit = -1, time.monotonic(), time.monotonic() + DRAIN_LIMIT
        while arrived < result["accepted"]:
            now, count = time.monotonic(), self.sink.count()
            if count != arrived:
                arrived, moved = count, now
            if now > limit or now - moved > STALL_LIMIT:
                break
            time.sleep(0.01)
        return result


def _rate(messages: int, nanoseconds: int) -> float:
    return messages / (nanoseconds / 1e9) if nanoseconds > 0 else 0.0
