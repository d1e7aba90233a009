"""kopf, embedded: only its watches, with every habit of it that writes into the cluster turned off.

`running` starts it once the lease is held. A task of it that dies ends it, and so the process, which starts anew.
"""

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from mailhaul_operator.handlers import Sink, register
from mailhaul_operator.reconcile.scope import Watched

WATCH_SECONDS = 300
"""The API server ends a watch after this time; the next one goes on from there."""
_TALKATIVE = ("kopf._core.reactor.running", "kopf._core.reactor.observation", "kopf._core.engines.peering")


async def watch(
    scope: Iterable[Watched],
    to: Sink,
    namespaces: tuple[str, ...],
    kubeconfig: Path | None,
    flags: tuple[asyncio.Event, asyncio.Event],
) -> None:
    """Watch until the first of the flags is set, to stop; the second is set here, once the watches begin."""
    stop, ready = flags
    registry, settings = kopf.OperatorRegistry(), _settings(bool(namespaces))
    register(registry, settings, scope, to)
    if kubeconfig is None:
        kopf.on.login(registry=registry)(kopf.login_with_service_account)
    else:
        os.environ["KUBECONFIG"] = str(kubeconfig)
        kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    await kopf.operator(
        registry=registry,
        settings=settings,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        memories=_NoMemories(),
        stop_flag=stop,
        ready_flag=ready,
    )


def _settings(in_namespaces: bool) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = in_namespaces
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + 30
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 100
    settings.queueing.idle_timeout = 0.05  # the task of an object ends so soon, and thousands are seen at the start
    settings.queueing.exit_timeout = 0.5
    settings.process.ultimate_exiting_timeout = 20
    settings.execution.max_workers = 1
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    return settings


class _NoMemories(ResourceMemories):
    """Keeps nothing of an object between two events: nobody here reads what kopf would remember of each."""

    async def recall(self, raw_body: kopf.RawBody, **options: Any) -> ResourceMemory:  # noqa: ANN401 - kopf's own
        return await super().recall(raw_body, **{**options, "ephemeral": True})


class _NoDiffs(kopf.DiffBaseStorage):
    """Compares nothing: kopf copies every object twice for its own change detection, which nobody here asks for."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return {}

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: object) -> None:
        """Keep nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Remembers nothing of handlers: those of events have no progress."""

    def fetch(self, **_: object) -> kopf.ProgressRecord | None:
        return None

    def store(self, **_: object) -> None:
        """Keep nothing."""

    def purge(self, **_: object) -> None:
        """There is nothing."""

    def touch(self, **_: object) -> None:
        """Write nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
