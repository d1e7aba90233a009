"""The relay's process: opens what it owns, runs until SIGTERM, and stops within its grace time with exit code 0.

`cli` calls `serve`. HTTP is opened first, so that a relay that waits for its configuration can say so. Failures: a
spool that another process owns, or an address that cannot be bound, ends it at once with exit code 1 and a line that
says what to do; everything later is told in log, health and report.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from mailhaul_relay.app.options import Addresses, Directories
from mailhaul_relay.app.relay import Relay, Stores
from mailhaul_relay.app.routes import routes
from mailhaul_relay.http.server import HttpServer
from mailhaul_relay.ports.clock import wall_clock
from mailhaul_relay.ports.loop import Loop
from mailhaul_relay.reload.watcher import Apply, Loaded, Watcher
from mailhaul_relay.smtpout.inbox import Inbox
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.lines import LineWriter
from mailhaul_relay.telemetry.log import Log

GARBAGE = (10_000, 20, 50)
"""Thresholds of the garbage collector. Mail makes no cycles of objects; modules and models are never garbage."""
RESTART = 1.0
"""Seconds until a loop that ended in an error of ours is begun again."""


def serve(directories: Directories, addresses: Addresses, grace: float) -> int:
    """Run one relay until SIGTERM or SIGINT; the exit code."""
    lines = LineWriter()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(_serve(directories, addresses, grace, lines))
    except (SpoolError, OSError) as error:
        sys.stderr.write(f"mailhaul relay: cannot start: {error}\n")
        return 1
    finally:
        lines.close()
    return 0


async def _serve(directories: Directories, addresses: Addresses, grace: float, lines: LineWriter) -> None:
    log, stop = Log(lines), _stop_signal()
    async with AsyncExitStack() as stack:
        spool = await SqliteSpool.open(directories.spool, log)
        stack.push_async_callback(spool.close)
        inbox = Inbox(directories.spool)
        stack.push_async_callback(inbox.close)
        relay = Relay(Stores(spool, inbox), addresses, log, lines)
        http = await HttpServer.open(addresses.http_host, addresses.http_port, routes(relay, addresses), log)
        stack.push_async_callback(http.close)
        await relay.memory.restore()
        await relay.suppressor.restore()
        await relay.day_book.restore()
        await relay.reply_book.restore()
        watcher = Watcher(
            directories.config,
            directories.secrets,
            _applied(relay, (addresses.http_host, http.port), directories),
            wall_clock,
        )
        await watcher.look()
        log.event("started", pid=os.getpid(), http_port=http.port)
        following = asyncio.create_task(_for_ever(watcher.run, log))
        tasks = [asyncio.create_task(_for_ever(one, log)) for one in relay.loops]
        await stop
        # A configuration that came now would open again what the end closes.
        await _ended(following)
        await relay.stop(grace)
        await _ended(*tasks)
        log.event("stopped")


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _applied(relay: Relay, http: tuple[str, int], directories: Directories) -> Apply:
    """Apply what the watcher found, then tell where mail is accepted."""

    async def apply(loaded: Loaded) -> bool:
        taken = await relay.apply(loaded)
        if directories.ready_file and not relay.not_accepting():
            ready = {
                "pid": os.getpid(),
                "listeners": [one.model_dump(mode="json", by_alias=True) for one in relay.listeners.reports()],
                "http": {"host": http[0], "port": http[1]},
            }
            await asyncio.to_thread(_write_whole, directories.ready_file, json.dumps(ready) + "\n")
        return taken

    return apply


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all of it or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


async def _for_ever(work: Callable[[], Awaitable[None]], log: Log) -> None:
    """Keep a loop of the relay going: an error of ours in one turn must not end reloads or deliveries."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - told, and begun again
            log.event("internal-error", level="error", where=work.__qualname__, kind=type(error).__name__)
            await asyncio.sleep(RESTART)


def _stop_signal() -> "asyncio.Future[None]":
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, lambda: None if stop.done() else stop.set_result(None))
    return stop
