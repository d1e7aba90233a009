"""What is watched is what can be listed: one namespace that is closed, or one watch that is refused, ends nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, resource, secret
from tests.support.writable_server import Wishes, WritableServer

from mailhaul_operator.observe.references import Reference
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.listing import Listing
from mailhaul_operator.reconcile.passes import work
from mailhaul_operator.reconcile.scope import Watched
from mailhaul_operator.reconcile.world import Who, World
from mailhaul_operator.serve.kopf_running import WatchRefused
from mailhaul_operator.serve.watching import AFTER_START, CLOSED, LEAVING, RELIST, RETRY, Watching
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

pytestmark = pytest.mark.looptime

LISTED = (NAMESPACE, "lb")
ONE, TWO = Key("SmtpRelay", NAMESPACE, "one"), Key("SmtpRelay", "lb", "two")


class Server(WritableServer):
    """Grants nothing in the namespaces of `denied`."""

    def __init__(self, *objects: Body) -> None:
        super().__init__(*objects)
        self.denied: set[str] = set()

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | Refused:
        refused = Refused(Refusal.FORBIDDEN, f"forbidden in namespace {namespace}")
        return refused if namespace in self.denied else await super().get(kind, namespace, name)

    async def list_all(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...] | Refused:
        refused = Refused(Refusal.FORBIDDEN, f"forbidden in namespace {namespace}")
        return refused if namespace in self.denied else await super().list_all(kind, namespace, selector)


@dataclass
class Watches:
    """In place of kopf: `running` are those that are watched now; a test ends them by `refusal`."""

    running: list[tuple[str, ...]] = field(default_factory=list)
    began: int = 0
    refusal: "asyncio.Future[None] | None" = None

    async def watch(self, namespaces: tuple[str, ...], stop: asyncio.Event) -> None:
        self.running.append(namespaces)
        self.began += 1
        self.refusal = asyncio.get_running_loop().create_future()
        stopping = asyncio.ensure_future(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopping, self.refusal}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self.refusal.done():
                self.refusal.result()
        finally:
            stopping.cancel()
            self.running.remove(namespaces)

    def refuse(self) -> None:
        """Let a watch of kopf's be refused."""
        assert self.refusal is not None
        self.refusal.set_exception(WatchRefused("a watch was refused: forbidden"))


@dataclass
class Stage:
    """An operator's listing and watches on a server."""

    server: Server
    world: World
    wishes: Wishes
    watches: Watches
    watching: Watching

    @asynccontextmanager
    async def runs(self) -> AsyncIterator[None]:
        await self.watching.fill()
        task = asyncio.ensure_future(self.watching.run())
        await asyncio.sleep(0.1)
        try:
            yield
        finally:
            assert not task.done()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert self.watches.running == []


def staged(namespaces: tuple[str, ...] = LISTED, denied: tuple[str, ...] = ()) -> Stage:
    spec = {"upstreams": [{"providerRef": {"name": "main"}}]}
    names = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}} for one in LISTED)
    relays = resource("SmtpRelay", "one", spec), resource("SmtpRelay", "two", spec, namespace="lb")
    server = Server(*names, *relays)
    server.denied = set(denied)
    world = World(server, Facts(image="relay:test"), Who("operator-1", namespaces), lambda: 1000.0)  # type: ignore[arg-type]
    world.queue = wishes = Wishes()
    watches = Watches()
    scope = (Watched(KINDS["SmtpRelay"]), Watched(KINDS["Secret"]))
    return Stage(
        server, world, wishes, watches, Watching(Listing(server, world, scope, namespaces), world, watches.watch)
    )


def told(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in one.getMessage() for one in caplog.records)


async def test_a_namespace_that_is_closed_at_the_start_keeps_the_others_from_nothing() -> None:
    stage = staged(denied=("lb",))
    async with stage.runs():
        assert stage.watches.running == [(NAMESPACE,)]
        assert stage.world.own() == (ONE,)
        assert tuple(stage.watching.closed) == ("lb",)
        assert stage.world.gatherer.hidden == {"lb"}


async def test_a_namespace_that_is_deleted_ends_its_watches_and_the_others_are_watched_again_at_once() -> None:
    stage = staged()
    async with stage.runs():
        assert stage.watches.running == [LISTED]
        stage.server.denied = {"lb"}
        stage.server.objects.pop(("Namespace", "", "lb"))
        stage.watches.refuse()
        await asyncio.sleep(RETRY + 1)
        assert stage.watches.running == [(NAMESPACE,)]
        assert stage.world.own() == (ONE,)
        assert stage.world.gatherer.hidden == frozenset()
        assert TWO in stage.wishes.keys


async def test_a_closed_namespace_is_told_once_and_served_soon_after_it_opens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mailhaul")
    stage = staged(denied=("lb",))
    async with stage.runs():
        await asyncio.sleep(10 * CLOSED)
        assert told(caplog, "namespace lb is not served") == 1
        assert stage.watches.began == 1
        stage.wishes.keys.clear()
        stage.server.denied.clear()
        await asyncio.sleep(CLOSED + LEAVING + RETRY + 1)
        assert stage.watches.running == [LISTED]
        assert TWO in stage.wishes.keys
        assert told(caplog, "namespace lb is served again") == 1


async def test_with_every_listed_namespace_closed_nothing_is_watched_least_of_all_the_cluster() -> None:
    stage = staged(denied=LISTED)
    async with stage.runs():
        assert stage.watches.running == []
        stage.server.denied.clear()
        await asyncio.sleep(CLOSED + LEAVING + RETRY + 1)
        assert stage.watches.running == [LISTED]


async def test_a_watch_that_is_refused_in_the_whole_cluster_begins_anew_and_what_went_meanwhile_is_noticed() -> None:
    stage = staged(())
    async with stage.runs():
        stage.watches.refuse()
        stage.server.objects.pop(("SmtpRelay", "lb", "two"))
        await asyncio.sleep(RETRY + 1)
        assert stage.watches.running == [()]
        assert stage.watches.began == 2
        assert stage.world.own() == (ONE,)
        stage.server.objects.pop(("SmtpRelay", NAMESPACE, "one"))  # after the list, before kopf's own
        await asyncio.sleep(2 * CLOSED)
        assert stage.world.own() == ()


async def test_what_went_between_the_first_list_and_the_first_watch_is_noticed_soon() -> None:
    stage = staged(())
    async with stage.runs():
        stage.server.objects.pop(("SmtpRelay", "lb", "two"))  # without an event: kopf's own list came later
        await asyncio.sleep(AFTER_START + CLOSED + 1)
        assert stage.world.own() == (ONE,)
        assert TWO in stage.wishes.keys


async def test_a_missed_event_is_made_good_within_a_resync_period() -> None:
    stage = staged(())
    async with stage.runs():
        await asyncio.sleep(AFTER_START + CLOSED + 1)
        stage.server.objects.pop(("SmtpRelay", "lb", "two"))
        await asyncio.sleep(RELIST + CLOSED)
        assert stage.world.own() == (ONE,)


async def test_an_api_server_that_is_away_ends_nothing() -> None:
    stage = staged()
    async with stage.runs():
        stage.server.failure = Refused(Refusal.UNAVAILABLE, "not now")
        stage.watches.refuse()
        await asyncio.sleep(5 * CLOSED)
        assert stage.watches.running == [LISTED]
        assert stage.world.own() == (TWO, ONE)


async def test_no_pass_is_made_where_nothing_may_be_done_but_what_is_forgotten_ends() -> None:
    stage = staged()
    async with stage.runs():
        stage.server.denied = {"lb"}
        stage.watches.refuse()
        await asyncio.sleep(RETRY + 1)
        stage.server.written.clear()
        assert await work(stage.world)(TWO) is None
        assert stage.server.written == []
        assert await work(stage.world)(ONE) is not None


async def test_in_a_closed_namespace_no_secret_is_known_to_be_absent_and_later_those_that_went_are() -> None:
    stage = staged(denied=("lb",))
    body = secret("account", password="b25l")
    body["metadata"]["namespace"] = "lb"
    account = Reference("Secret", "lb", "account")
    stage.server.put(body)
    async with stage.runs():
        assert isinstance(await stage.world.holders.read(account), Refused)
        stage.server.denied.clear()
        assert await stage.world.holders.read(account) is not None
        stage.server.objects.pop(("Secret", "lb", "account"))
        await asyncio.sleep(CLOSED + LEAVING + RETRY + 1)
        assert await stage.world.holders.read(account) is None
