"""Runs what was planned: one process a relay, its mounts, its port, its report.

`up` gives it plans whenever a file changed and asks it for views; it decides nothing about mail. Configuration and
secrets reach a running relay through its mounts, and no change of them starts it anew. Failures: OSError when the state
directory cannot be written, `NoPortError`; a relay that dies is started again.
"""

import asyncio
import ipaddress
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeGuard

from mailhaul_contract.names import ALIAS_TABLE_FILES, CONFIG_FILE, SECRET_API_TOKEN
from mailhaul_contract.report import RelayReport
from mailhaul_operator.local.changes import changes
from mailhaul_operator.local.deliveries import LastDeliveries
from mailhaul_operator.local.mount import Mount
from mailhaul_operator.local.ports import Ports
from mailhaul_operator.local.process import RelayProcess, Spawn, spawn
from mailhaul_operator.local.reports import Endpoint, Unreachable, fetch
from mailhaul_operator.local.state import RelayPlace, State
from mailhaul_operator.local.verdict import judge
from mailhaul_operator.local.view import Bound, Phase, RelayView
from mailhaul_operator.plan.snapshot import Plan

GRACE: Final = 20.0
"""Seconds that a relay grants to what is under way when it stops."""
MARGIN: Final = 5.0
"""Seconds more before a relay that does not stop is ended."""

Tell = Callable[[str], None]


@dataclass
class Running:
    """One relay that runs here, and what is known of it."""

    plan: Plan
    place: RelayPlace
    endpoint: Endpoint
    process: RelayProcess
    task: "asyncio.Task[None]"
    last: LastDeliveries
    report: RelayReport | Unreachable | None = None
    seen: RelayReport | None = None


class Supervisor:
    """All relays of one `up`. `tell` gets the lines that a person should see."""

    def __init__(
        self, state: State, ports: Ports, bind: str, tell: Callable[[str], None], start: Spawn = spawn
    ) -> None:
        self._state, self._ports, self._bind = state, ports, bind
        self._tell, self._start = tell, start
        self._running: dict[str, Running] = {}

    def existing(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Give the Secret that was assembled for a relay before, in this run or an earlier one."""
        return Mount(self._state.place(namespace, name).secrets).read()

    async def apply(self, plans: Iterable[Plan]) -> None:
        """Let exactly these relays run, each as planned; one without a configuration keeps what it has."""
        wanted = {plan.key: plan for plan in plans}
        for key in [key for key in self._running if key not in wanted]:
            self._tell(f"{key}: stops, it is no longer in the files; its queue is kept")
            await self._end(self._running.pop(key))
        for key, plan in wanted.items():
            if plan.config is None:
                self._tell(f"{key}: " + ("keeps its last good configuration" if key in self._running else "cannot run"))
            elif key in self._running:
                self._change(self._running[key], plan)
            else:
                self._running[key] = self._begin(plan)

    async def look(self) -> None:
        """Ask every relay for its report, and tell what happened since the last one."""
        await asyncio.gather(*(self._ask(key, one) for key, one in tuple(self._running.items())))

    def views(self, now: float) -> tuple[RelayView, ...]:
        """Give what there is to see at a time."""
        return tuple(self._view(one, now) for _, one in sorted(self._running.items()))

    async def stop(self) -> None:
        """End all relays, each within the grace time."""
        await asyncio.gather(*(self._end(one) for one in self._running.values()))
        self._running.clear()

    async def kill(self) -> None:
        """End all relays at once."""
        await asyncio.gather(*(one.process.kill() for one in self._running.values()))

    def _begin(self, plan: Plan) -> Running:
        place = self._state.place(plan.namespace, plan.name)
        place.ready.unlink(missing_ok=True)
        _mount(place, plan)
        endpoint = Endpoint(_reached_at(self._bind), self._ports.http(plan.key), _token(plan))
        command = _command(place, self._bind, endpoint.port)
        process = RelayProcess(command, place.log, lambda line: self._tell(f"{plan.key}: {line}"), self._start)
        last = LastDeliveries(place.log)
        return Running(plan, place, endpoint, process, asyncio.create_task(process.run()), last)

    def _change(self, one: Running, plan: Plan) -> None:
        one.plan = plan
        _mount(one.place, plan)
        one.endpoint = replace(one.endpoint, token=_token(plan))

    async def _ask(self, key: str, one: Running) -> None:
        one.report = await fetch(one.endpoint)
        if isinstance(one.report, RelayReport):
            for line in changes(one.seen, one.report):
                self._tell(f"{key}: {line}")
            one.seen = one.report

    async def _end(self, one: Running) -> None:
        await one.process.stop(GRACE + MARGIN)
        await one.task
        one.place.ready.unlink(missing_ok=True)

    def _view(self, one: Running, now: float) -> RelayView:
        assert one.plan.config is not None
        pid = one.process.pid
        listeners = _ready(one.place, pid) if pid else ()
        return RelayView(
            namespace=one.plan.namespace,
            name=one.plan.name,
            pid=pid,
            phase=Phase.ACCEPTING if listeners else Phase.STARTING if pid else Phase.DOWN,
            listeners=listeners,
            http=one.endpoint.url,
            config=one.plan.config,
            report=one.report,
            verdict=judge(one.report, now) if _is_under_way(one.report) else None,
            deliveries=one.last.look(),
        )


def _is_under_way(report: RelayReport | Unreachable | None) -> TypeGuard[RelayReport]:
    """Whether the relay has looked at its configuration: what it says before that is no verdict."""
    return isinstance(report, RelayReport) and bool(report.digest or report.refused_config)


def _mount(place: RelayPlace, plan: Plan) -> None:
    """Secrets first: a configuration names the revision that it needs and would wait for it."""
    Mount(place.secrets).write(plan.secret)
    Mount(place.config).write({CONFIG_FILE: plan.content, **dict(zip(ALIAS_TABLE_FILES, plan.tables, strict=False))})


def _token(plan: Plan) -> str:
    return plan.secret[SECRET_API_TOKEN].decode()


def _reached_at(bind: str) -> str:
    """Where this machine reaches what listens on an address: a wildcard is no destination."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)  # noqa: S104 - compared, not bound


def _command(place: RelayPlace, bind: str, http_port: int) -> list[str]:
    host = f"[{bind}]" if ":" in bind else bind
    options = {
        "--config": place.config / CONFIG_FILE,
        "--secrets": place.secrets,
        "--spool": place.spool,
        "--bind": bind,
        "--http-bind": f"{host}:{http_port}",
        "--ready-file": place.ready,
        "--grace": GRACE,
    }
    words = [str(word) for pair in options.items() for word in pair]
    if ipaddress.ip_address(bind).is_loopback:
        words.append("--open-inbox")
    return [sys.executable, "-m", "mailhaul_contract.console", "relay", "serve", *words]


def _ready(place: RelayPlace, pid: int) -> tuple[Bound, ...]:
    """Give the ports that a relay says it accepts mail on; none before it does, or when another process said so."""
    try:
        said = json.loads(place.ready.read_bytes())
        if said["pid"] != pid:
            return ()
        return tuple(Bound(str(one["name"]), str(one["host"]), int(one["port"])) for one in said["listeners"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
