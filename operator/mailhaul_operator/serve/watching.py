"""Keeps the world as the API server has it: lists it, has it watched, lists it again now and then.

Called by `running`. Of several listed namespaces those that are closed to the operator (deleted, or their Role is gone)
are left out, told once, and tried again every half a minute; the others are served as if there were no such. A watch
that is refused makes all of them begin anew. Fails by its cancellation only.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from logging import ERROR, WARNING
from math import inf
from typing import Any

from mailhaul_operator.reconcile.listing import Listing, ListingError
from mailhaul_operator.reconcile.world import World
from mailhaul_operator.serve.kopf_running import WatchRefused
from mailhaul_operator.serve.logs import LOG
from mailhaul_operator.wire.key import Key

RELIST = 600.0
"""Seconds after which everything is listed again, for edges that were missed."""
AFTER_START = 90.0
"""The same, once, after the first listing: what is deleted before kopf lists for itself has no event. Later than
`CLOSED`, for a start with very many relays has both cores to itself for a minute."""
CLOSED = 30.0
"""Seconds after which a namespace that is closed is tried again, and what went while no watch ran is looked for."""
RETRY = 3.0
"""Seconds after which a first listing that failed is tried again, or watches that were refused."""
LEAVING = 3.0
"""Seconds that the watches are given to end."""

Watch = Callable[[tuple[str, ...], asyncio.Event], Coroutine[Any, Any, None]]
"""Watches these namespaces (none are all) until the event is set. Raises WatchRefused."""


class Watching:
    """One operator's. `fill` it, then `run` it."""

    def __init__(self, listing: Listing, world: World, watch: Watch) -> None:
        self._listing, self._world, self._watch = listing, world, watch
        self._due = inf

    @property
    def closed(self) -> Mapping[str, str]:
        """The listed namespaces that are not served now, with the reason."""
        return self._listing.closed

    async def fill(self) -> None:
        """List everything once, however long it takes."""
        while True:
            if await self._list() is not None:
                break
            await asyncio.sleep(RETRY)
        self._expect(AFTER_START)
        self._world.holders.synced = True

    async def run(self) -> None:
        """Watch until cancelled, or until the watches end by themselves, which a signal makes them do."""
        while not await self._watched(self._listing.open):
            await asyncio.sleep(RETRY)
            await self._relist()
            self._expect(CLOSED)

    async def _watched(self, namespaces: tuple[str, ...]) -> bool:
        """Watch these for as long as they are those to watch; gives whether the watches ended by themselves."""
        stop = asyncio.Event()
        served = namespaces or not self._listing.namespaces
        watching = asyncio.ensure_future(self._watch(namespaces, stop) if served else stop.wait())
        try:
            while not watching.done() and self._listing.open == namespaces:
                await asyncio.wait({watching}, timeout=CLOSED)
                await self._look_again(ended=watching.done())
            by_itself = watching.done()
        finally:
            stop.set()
            await _leave(watching)
        return _ended_well(watching) and by_itself

    async def _look_again(self, *, ended: bool) -> None:
        if ended:
            return
        if asyncio.get_running_loop().time() >= self._due:
            await self._relist()
        elif self.closed:
            await self._relist(tuple(self.closed))

    async def _relist(self, only: Sequence[str] = ()) -> None:
        before = frozenset(self.closed)
        touched = await self._list(only)
        if touched is None:
            return
        self._world.holders.drop_unused()
        opened = before - frozenset(self.closed)
        self._world.want(touched | {key for key in self._world.own() if key.namespace in opened})

    async def _list(self, only: Sequence[str] = ()) -> frozenset[Key] | None:
        """Give the keys that changed; None when the API server could not be asked."""
        before = self.closed
        try:
            touched = await self._listing.refresh(only)
        except ListingError as error:
            LOG.log(WARNING if error.refused.passing else ERROR, "%s", error)
            return None
        finally:
            self._world.holders.closed = frozenset(self.closed)
            self._world.gatherer.hidden = self._listing.hidden
            self._tell(before)
        if not only:
            self._expect(RELIST)
        return touched

    def _expect(self, seconds: float) -> None:
        """Want the next listing of everything after so many seconds."""
        self._due = asyncio.get_running_loop().time() + seconds

    def _tell(self, before: Mapping[str, str]) -> None:
        for name, words in self.closed.items():
            if before.get(name) != words:
                LOG.error("%s", words)
        for name in before:
            if name not in self.closed:
                LOG.info("namespace %s is served again", name)


async def _leave(watching: "asyncio.Future[Any]") -> None:
    """Wait for the end of watches that were asked to end. Others may begin only then: see `kopf_running`."""
    await asyncio.wait({watching}, timeout=LEAVING)
    watching.cancel()
    await asyncio.wait({watching}, timeout=LEAVING)


def _ended_well(watching: "asyncio.Future[Any]") -> bool:
    """Whether the watches ended without a refusal, which is told here. Raises what is none."""
    if not watching.done():
        raise RuntimeError("the watches do not end")
    if watching.cancelled():
        return False
    error = watching.exception()
    if isinstance(error, WatchRefused):
        LOG.warning("%s; all watches begin anew", error)
        return False
    if error is not None:
        raise error
    return True
