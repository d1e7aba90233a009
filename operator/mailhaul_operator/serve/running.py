"""The operator from start to end: lease, first listing, watches (`watching`), queue, pages; each stops when one ends.

Called by `command`. Until the lease is held only the pages are there. Failures: what cannot be had at the start is told
in one log line, exit code 1; a resource's failure ends nothing.
"""

import asyncio
import gc
import signal
import time
from collections.abc import Coroutine
from typing import Any

from kubernetes.aio.config import ConfigException

from mailhaul_operator.effects.api import Api
from mailhaul_operator.reconcile.listing import Listing
from mailhaul_operator.reconcile.passes import rank, work
from mailhaul_operator.reconcile.scope import watched
from mailhaul_operator.reconcile.workqueue import Turn, WorkQueue
from mailhaul_operator.reconcile.world import Who, World
from mailhaul_operator.serve import kopf_running
from mailhaul_operator.serve.lease import Lease, LeaseLost
from mailhaul_operator.serve.lease_store import ApiLeaseStore
from mailhaul_operator.serve.leased_api import LeasedApi
from mailhaul_operator.serve.logs import LOG, told
from mailhaul_operator.serve.metrics import Metrics
from mailhaul_operator.serve.pages import Answer, PageServer
from mailhaul_operator.serve.settings import Settings
from mailhaul_operator.serve.watching import Watching
from mailhaul_operator.wire.key import Key

COLLECTED = (10_000, 20, 20)
"""Objects after which Python looks for cycles, and how many such looks later the older ones are looked at too: hardly
anything here makes a cycle, and with Python's own numbers a start spends a fourteenth of its CPU on looking.
"""
STUCK = 180.0
"""Seconds after which a pass that has not ended means that the process is of no use any more."""


async def run(settings: Settings) -> int:
    """Run until a signal or the loss of the lease; gives the exit code."""
    try:
        api, lease_api = await LeasedApi.open(settings.kubeconfig), await Api.open(settings.kubeconfig)
    except (ConfigException, OSError) as error:
        LOG.error("the API server cannot be reached: %s; name a kubeconfig, or run in a pod", error)
        return 1
    try:
        return await Operator(settings, api, lease_api).run()
    except OSError as error:
        LOG.error("a port cannot be bound: %s; name others by --health-port and --metrics-port", error)
        return 1
    finally:
        await api.close()
        await lease_api.close()


class Operator:
    """One process. `run` is its whole life."""

    def __init__(self, settings: Settings, api: LeasedApi, lease_api: Api) -> None:
        """Put the parts together; nothing begins."""
        self._settings, self._api = settings, api
        store = ApiLeaseStore(lease_api, settings.lease_namespace, settings.lease_name)
        self._lease = Lease(store, settings.identity, tell=lambda words: _told("lease", words))
        self._metrics = Metrics()
        who = Who(settings.identity, settings.namespaces)
        self._world = World(api, settings.facts(), who, time.time)
        self._queue = WorkQueue(work(self._world), self._ended, rank=rank)
        self._world.queue = self._queue
        self._stop = asyncio.Event()
        self._watching: Watching | None = None
        api.may_write = self._lease.held

    async def run(self) -> int:
        """Serve the pages, wait for the lease, act until something ends it."""
        self._metrics.watch(lambda: self._queue.depth, self._lease.held, lambda: self._api.requests, self._closed)
        self._take_signals()
        health = await PageServer.open({"/healthz": self._health}, self._settings.health_port)
        metrics = await PageServer.open({"/metrics": self._exposition}, self._settings.metrics_port)
        _told(
            "started",
            "waiting for the lease",
            identity=self._settings.identity,
            health=health.port,
            metrics=metrics.port,
        )
        try:
            return await self._until_stopped(self._lead())
        finally:
            await asyncio.gather(health.close(), metrics.close())

    async def _lead(self) -> None:
        await self._lease.acquire()
        _told("lease", "the lease is held", identity=self._lease.identity)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lease.keep())
                watching = await self._fill()
                group.create_task(self._queue.run())
                group.create_task(self._watch(watching))
                gc.collect()
                gc.freeze()
                gc.set_threshold(*COLLECTED)
        finally:
            await self._lease.release()

    async def _until_stopped(self, leading: Coroutine[Any, Any, None]) -> int:
        task, stopping = asyncio.ensure_future(leading), asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not task.done():
            task.cancel()
        await asyncio.wait({task})
        if task.cancelled() or self._stop.is_set():
            _told("stopped", "stopped by a signal")
            return 0
        return _last_words(task.exception())

    async def _fill(self) -> Watching:
        """List everything once, then want a pass for each resource of ours."""
        await self._world.facts.look()
        namespaces = self._settings.namespaces
        scope = watched(namespaces, self._world.facts.now.external_secrets)

        def watch(there: tuple[str, ...], stop: asyncio.Event) -> Coroutine[Any, Any, None]:
            return kopf_running.watch(scope, self._world, there, self._settings.kubeconfig, stop, self._take_signals)

        self._watching = Watching(Listing(self._api, self._world, scope, namespaces), self._world, watch)
        await self._watching.fill()
        for key in self._world.own():
            self._queue.add_after(key, 0)
        return self._watching

    async def _watch(self, watching: Watching) -> None:
        await watching.run()
        self._stop.set()

    def _closed(self) -> int:
        return len(self._watching.closed) if self._watching else 0

    def _ended(self, turn: Turn) -> None:
        self._metrics.reconciled(turn.key.kind, turn.seconds, failed=turn.error is not None)
        if turn.error is not None:
            fields = {**_fields(turn.key), **told(turn.error), "seconds": round(turn.seconds, 3)}
            LOG.error("a pass failed; it is tried again", extra={"fields": fields})

    def _health(self) -> Answer:
        return health(self._queue.longest_running(), leads=self._lease.held())

    def _exposition(self) -> Answer:
        return Answer(200, self._metrics.exposition(), "text/plain; version=0.0.4; charset=utf-8")

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)


def health(longest: float, *, leads: bool) -> Answer:
    """Give what the kubelet is told; `longest` is how many seconds the oldest pass has been running. That there is an
    answer proves that the loop turns.
    """
    if longest > STUCK:
        return Answer(503, f"a pass has been running for {longest:.0f} s\n".encode())
    return Answer(200, b"leading\n" if leads else b"waiting for the lease\n")


def _last_words(error: BaseException | None) -> int:
    """Say why it ended by itself."""
    found = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if isinstance(found, LeaseLost):
        LOG.error("%s; this operator ends and begins anew", found)
    elif found is not None:
        LOG.error("the operator cannot go on", extra={"fields": told(found)})
    return 1


def _fields(key: Key) -> dict[str, str]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def _told(what: str, words: str, **fields: object) -> None:
    LOG.info("%s: %s", what, words, extra={"fields": fields})
