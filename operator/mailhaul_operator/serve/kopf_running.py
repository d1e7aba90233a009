"""kopf, embedded: only its watches, with every habit of it that writes into the cluster turned off.

`watching` starts it once the lease is held, and again after a watch was refused (`WatchRefused`), which ends it wholly.
At its end kopf cancels every task that came after its start, as if the loop were its own; here only those of its code.
Its other watches that were refused end unheard; the loop would tell of each in a traceback, long after: see `_tell`.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import kopf
from kopf._cogs.clients.errors import APIError
from kopf._cogs.clients.watching import WatchingError
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from mailhaul_operator.handlers import Sink, register
from mailhaul_operator.reconcile.scope import Watched

WATCH_SECONDS = 300
"""The API server ends a watch after this time; the next one goes on from there."""
_TALKATIVE = ("kopf._core.reactor.running", "kopf._core.reactor.observation", "kopf._core.engines.peering")


_KOPF = str(Path(kopf.__file__).parent)


class WatchRefused(Exception):  # noqa: N818 - the name of the fact
    """The API server has refused to list or to watch a kind, and will again: a right or the kind is gone."""


async def watch(
    scope: Iterable[Watched],
    to: Sink,
    namespaces: tuple[str, ...],
    kubeconfig: Path | None,
    stop: asyncio.Event,
    began: Callable[[], None],
) -> None:
    """Watch these namespaces (none are all) until `stop` is set. Calls `began` when kopf is made: it has taken the
    process's signals for itself by then. Raises WatchRefused.
    """
    asyncio.get_running_loop().set_exception_handler(_tell)
    registry, settings = kopf.OperatorRegistry(), _settings(bool(namespaces))
    register(registry, settings, scope, to)
    if kubeconfig is None:
        kopf.on.login(registry=registry)(kopf.login_with_service_account)
    else:
        os.environ["KUBECONFIG"] = str(kubeconfig)
        kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=settings,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        memories=_NoMemories(),
        stop_flag=stop,
    )
    began()
    try:
        await kopf.run_tasks(tasks, ignored=NotKopfs())
    except (APIError, WatchingError) as error:
        raise WatchRefused(f"a watch was refused: {error}") from error


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell what nobody has caught, but for refusals: WatchRefused has told of the first, the others are the same."""
    if not isinstance(context.get("exception"), (APIError, WatchingError)):
        loop.default_exception_handler(context)


class NotKopfs(Collection["asyncio.Task[Any]"]):
    """The tasks that do not run code of kopf. What has no code closes a generator, such as those of its watches."""

    def __contains__(self, task: object) -> bool:
        code = getattr(task.get_coro(), "cr_code", None) if isinstance(task, asyncio.Task) else None
        return code is not None and not code.co_filename.startswith(_KOPF)

    def __iter__(self) -> "Iterator[asyncio.Task[Any]]":
        return (one for one in asyncio.all_tasks() if one in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


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
    settings.process.ultimate_exiting_timeout = None  # it would kill the process after a watch was refused
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
