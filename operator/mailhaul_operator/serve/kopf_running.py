"""kopf, embedded: only its watches, with every habit of it that writes into the cluster turned off.

`watching` starts it once the lease is held, and again after a watch was refused (`WatchRefused`), which ends it wholly.
At its end kopf cancels every task that came after its start, as if the loop were its own; here only those of its code.
Its other watches that were refused end unheard; the loop would tell of each in a traceback, long after: see `_tell`.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import kopf
from kopf._cogs.clients import watching
from kopf._cogs.clients.errors import APIError
from kopf._cogs.clients.watching import WatchingError
from kopf._core.reactor import processing, queueing

from mailhaul_operator.handlers import Sink, register, taker
from mailhaul_operator.reconcile.scope import Watched
from mailhaul_operator.serve.logs import LOG, told

WATCH_SECONDS = 300
"""The API server ends a watch after this time; the next one goes on from there."""
AT_A_TIME = 20
"""Events that are taken before others have their turn."""
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
    with _straight(to):
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
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
    settings.queueing.exit_timeout = 0.5
    settings.process.ultimate_exiting_timeout = None  # it would kill the process after a watch was refused
    settings.execution.max_workers = 1
    return settings


@contextmanager
def _straight(to: Sink) -> Iterator[None]:
    """Let watches that run meanwhile hand each event to the handler and to nothing else.

    kopf makes a task with a queue for each object, and causes, loggers, memories and an empty patch of every event, for
    sorts of handlers that nobody has here: at the start over thousands of resources that was a fifth of all CPU. It has
    no setting for it. What else it watches, such as the kinds that are served, it goes on watching in its own way.
    """
    take, kopfs, watchers = taker(to), processing.process_resource_event, queueing.watcher

    async def process(*, raw_event: kopf.RawEvent, **_: object) -> str | None:
        try:
            await take(event=raw_event)
        except Exception as error:  # noqa: BLE001 - one object never ends the watch of its kind
            LOG.error("an event could not be taken; the next listing makes it good", extra={"fields": told(error)})
        return None

    async def watcher(*, processor: Any, **of: Any) -> None:  # noqa: ANN401 - kopf's own
        if getattr(processor, "func", None) is process:
            await _each(process, **of)
        else:
            await watchers(processor=processor, **of)

    straight: Any = process  # it takes the one argument of kopf's fifteen that counts
    processing.process_resource_event, queueing.watcher = straight, watcher
    try:
        yield
    finally:
        processing.process_resource_event, queueing.watcher = kopfs, watchers


async def _each(
    process: Callable[..., Awaitable[object]],
    *,
    operator_indexed: Any = None,  # noqa: ANN401 - kopf's own
    resource_indexed: Any = None,  # noqa: ANN401 - kopf's own
    **of: Any,  # noqa: ANN401 - what the watch of a kind is given
) -> None:
    """Watch one kind and take its events in their order, as kopf's own watcher does."""
    watched: Any = watching.infinite_watch(**of)  # a generator, of which kopf tells no more than that it iterates
    async with aclosing(watched) as events:
        taken = 0
        async for event in events:
            if event is watching.Bookmark.LISTED and operator_indexed is not None and resource_indexed is not None:
                await operator_indexed.drop_toggle(resource_indexed)
            if isinstance(event, watching.Bookmark) or event.get("type") == "BOOKMARK":
                continue
            await process(raw_event=event)
            taken += 1
            if taken % AT_A_TIME == 0:
                await asyncio.sleep(0)
