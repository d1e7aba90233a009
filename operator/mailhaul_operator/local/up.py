"""`mailhaul up`: the resources of some files, run here, until Ctrl-C.

Composes `loading` (files to plans), `supervisor` (plans to processes), `watch` (edits) and a `screen`. Exit code 0
after a clean stop; 1 when nothing can run, another `up` holds the state directory, or it cannot be written.
"""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mailhaul_contract.names import SECRET_API_TOKEN
from mailhaul_operator.local.loading import Loaded, Source, load
from mailhaul_operator.local.planning import Planned, plan_all
from mailhaul_operator.local.ports import NoPortError, Ports
from mailhaul_operator.local.screen import PlainLines, Screen
from mailhaul_operator.local.state import State, StateInUseError, relay_place, running_file, write_json
from mailhaul_operator.local.supervisor import Supervisor
from mailhaul_operator.local.told import finding_lines
from mailhaul_operator.local.view import Phase, RelayView
from mailhaul_operator.local.watch import changed, fingerprint

LOOK: Final = 0.5
"""Seconds between two looks at the relays."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    source: Source
    state: Path
    bind: str = "127.0.0.1"
    port_base: int | None = None
    ready_file: Path | None = None
    plain: bool = False


def up(options: Options) -> int:
    """Run until a signal; the exit code."""
    try:
        state = State.open(options.state)
    except StateInUseError as error:
        sys.stderr.write(f"mailhaul up: {error}\n")
        return 1
    except OSError as error:
        where = f"the state directory {options.state} cannot be used ({error.strerror})"
        sys.stderr.write(f"mailhaul up: {where}; choose another with --state-dir\n")
        return 1
    screen = _screen(options)
    try:
        return asyncio.run(_Up(options, state, screen).run())
    finally:
        screen.close()
        state.close()


class _Up:
    """One run. `_known` is what the files looked like when they were last read."""

    def __init__(self, options: Options, state: State, screen: Screen) -> None:
        self._options, self._state, self._screen = options, state, screen
        self._source = options.source
        self._ports = Ports(options.bind, options.port_base)
        self._supervisor = Supervisor(state, self._ports, options.bind, screen.tell)
        self._known = fingerprint(options.source.files)
        self._told: tuple[str, ...] = ()
        self._written: object = None

    async def run(self) -> int:
        """Start, follow files and relays, stop."""
        stop = _signals(self._supervisor)
        if not await self._start():
            return 1
        work: list[asyncio.Task[Any]] = [
            asyncio.create_task(one) for one in (self._follow_files(), self._follow_relays(), stop.wait())
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._finish(work)
        return 0 if stop.is_set() else _told_failure(done)

    async def _start(self) -> bool:
        """Run what the files say; tells why not, and gives False, when that is nothing."""
        loaded = await asyncio.to_thread(load, self._source)
        planned = self._plan(loaded)
        if planned is None or not any(plan.config for plan in planned.plans):
            sys.stderr.write("mailhaul up: nothing can run; mend what is told above and start again\n")
            return False
        await self._apply(planned)
        return True

    async def _follow_files(self) -> None:
        while True:
            self._known = await changed(self._source.files, self._known)
            loaded = await asyncio.to_thread(load, self._source)
            planned = self._plan(loaded)
            if planned is None:
                self._screen.tell("the files are not used as they are; the last good ones stay in force")
            else:
                self._screen.tell("the files changed and are in force")
                await self._apply(planned)

    async def _follow_relays(self) -> None:
        while True:
            await self._supervisor.look()
            views = self._supervisor.views(time.time())
            self._screen.show(views)
            self._tell_ready(views)
            await asyncio.sleep(LOOK)

    def _plan(self, loaded: Loaded) -> Planned | None:
        """Plan what was loaded and tell the findings that are new; None when a document cannot be used."""
        planned = None
        try:
            if not loaded.is_broken:
                planned = plan_all(loaded.resources, self._ports, self._supervisor.existing)
        except (OSError, NoPortError) as error:
            self._screen.tell(f"cannot plan: {error}")
        findings = loaded.located(planned.findings if planned else ())
        lines = finding_lines(findings)
        for line in lines:
            if line not in self._told:
                self._screen.tell(line)
        self._told = lines
        return planned

    async def _apply(self, planned: Planned) -> None:
        try:
            await self._supervisor.apply(planned.plans)
        except (OSError, NoPortError) as error:
            self._screen.tell(f"cannot apply the files: {error}")

    def _tell_ready(self, views: tuple[RelayView, ...]) -> None:
        """Once every relay accepts mail, and again whenever a process id or a port is another one."""
        directory = self._state.directory.absolute()
        relays = [view.to_json() | {"tokenFile": str(_token_file(directory, view))} for view in views]
        ready = {"relays": relays, "stateDir": str(directory)}
        if ready == self._written or any(view.phase is not Phase.ACCEPTING for view in views):
            return
        for path in (running_file(self._state.directory), self._options.ready_file):
            try:
                if path:
                    write_json(path, ready)
            except OSError as error:
                self._screen.tell(f"cannot write {path} ({error.strerror}); make its directory, or name another file")
        for line in self._ports.moved():
            self._screen.tell(line)
        for view in views:
            where = ", ".join(f"{one.name} {one}" for one in view.listeners)
            inbox = f", inbox {view.inbox}" if view.inbox else ""
            self._screen.tell(f"{view.key}: accepts mail on {where}; http {view.http}{inbox}")
        self._written = ready

    async def _finish(self, work: "list[asyncio.Task[Any]]") -> None:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        self._screen.tell("stopping; what is under way is finished, the queue is kept")
        await self._supervisor.stop()
        if self._options.ready_file:
            self._options.ready_file.unlink(missing_ok=True)
        self._screen.tell("stopped")


def _token_file(directory: Path, view: RelayView) -> Path:
    """Where the relay's API token lies, for `mailhaul queue`; a path is no secret."""
    return relay_place(directory, view.namespace, view.name).secrets / SECRET_API_TOKEN


def _signals(supervisor: Supervisor) -> asyncio.Event:
    """The event that Ctrl-C or SIGTERM sets; the second signal ends the relays at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    hurried: set[asyncio.Task[None]] = set()

    def on_signal() -> None:
        if stop.is_set():
            hurried.add(asyncio.create_task(supervisor.kill()))
        stop.set()

    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, on_signal)
    return stop


def _told_failure(done: "set[asyncio.Task[Any]]") -> int:
    for task in done:
        error = task.exception()
        sys.stderr.write(f"mailhaul up: stopped by an error: {error}\n" if error else "")
    return 1


def _screen(options: Options) -> Screen:
    if options.plain or not sys.stdout.isatty():
        return PlainLines()
    from mailhaul_operator.local.table import LiveTable  # noqa: PLC0415 - rich only where it is seen

    return LiveTable()
