"""What is listed is what is remembered; but where a kind is not served, nothing is known of what there is. One listed
namespace that is closed to the operator keeps it from none of the others.
"""

from collections.abc import AsyncIterator

import pytest
from tests.support.cluster_objects import NAMESPACE, FakeServer, made, relay, resource

from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.reconcile.listing import Listing, ListingError
from mailhaul_operator.reconcile.scope import Watched
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

SERVICE, EXTERNAL = KINDS["Service"], KINDS["ExternalSecret"]


class Server(FakeServer):
    """Refuses to list some kinds, or whatever is asked of some namespace in which a kind is not granted."""

    def __init__(self, *objects: Body) -> None:
        super().__init__(*objects)
        self.refusals: dict[str, Refused] = {}
        self.denied: set[tuple[str, str]] = set()

    async def list_all(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...] | Refused:
        if (namespace, kind.kind) in self.denied:
            return Refused(Refusal.FORBIDDEN, f"forbidden in namespace {namespace}")
        return self.refusals.get(kind.kind) or await super().list_all(kind, namespace, selector)


def _listing(server: Server, cache: Cache) -> Listing:
    return Listing(server, cache, (Watched(SERVICE), Watched(EXTERNAL, optional=True)), ())


def _remembering() -> Cache:
    cache = Cache()
    for one in (relay("one"), made("Service", "one", "one"), made("ExternalSecret", "main", "one")):
        cache.put(one)
    return cache


async def test_what_is_no_longer_listed_is_forgotten() -> None:
    cache = _remembering()
    touched = await _listing(Server(made("ExternalSecret", "main", "one")), cache).refresh()
    assert touched == {Key("SmtpRelay", NAMESPACE, "one")}
    assert cache.get("Service", NAMESPACE, "one") is None
    assert cache.get("ExternalSecret", NAMESPACE, "main") is not None


async def test_an_optional_kind_that_is_not_served_in_this_version_stays_remembered() -> None:
    cache, server = _remembering(), Server(made("Service", "one", "one"))
    server.refusals["ExternalSecret"] = Refused(Refusal.NOT_FOUND, "no such path")
    assert await _listing(server, cache).refresh() == frozenset()
    assert cache.get("ExternalSecret", NAMESPACE, "main") is not None


@pytest.mark.parametrize("kind", [Refusal.FORBIDDEN, Refusal.UNAVAILABLE, Refusal.NOT_FOUND])
async def test_another_kind_that_cannot_be_listed_is_told_and_nothing_forgotten(kind: Refusal) -> None:
    cache, server = _remembering(), Server()
    server.refusals["Service"] = Refused(kind, "no")
    with pytest.raises(ListingError, match="Service cannot be listed: no"):
        await _listing(server, cache).refresh()
    assert cache.get("Service", NAMESPACE, "one") is not None


class Broken(Server):
    """Its lists break off after their first page, as often as it is told."""

    breaks = 1

    async def pages(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> AsyncIterator[tuple[Body, ...] | Refused]:
        pages = [page async for page in super().pages(kind, namespace, selector)]
        if self.breaks:
            self.breaks -= 1
            pages[1:] = [Refused(Refusal.TIMEOUT, "no answer")]
        for page in pages:
            yield page


async def test_what_was_taken_before_a_list_broke_off_is_told_with_the_next_one() -> None:
    cache, server = Cache(), Broken(made("Service", "one", "one"), made("Service", "two", "two"))
    listing = _listing(server, cache)
    with pytest.raises(ListingError, match="Service cannot be listed: no answer"):
        await listing.refresh()
    assert cache.get("Service", NAMESPACE, "one") is not None
    assert await listing.refresh() == {Key("SmtpRelay", NAMESPACE, name) for name in ("one", "two")}
    assert await listing.refresh() == frozenset()


async def test_a_list_that_broke_off_makes_nothing_forgotten() -> None:
    cache, server = _remembering(), Broken(made("Service", "two", "two"))
    with pytest.raises(ListingError):
        await _listing(server, cache).refresh()
    assert cache.get("Service", NAMESPACE, "one") is not None


OTHER = Key("SmtpRelay", "lb", "two")
NAMESPACES = tuple({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one}} for one in (NAMESPACE, "lb"))


def _listed(*objects: Body) -> tuple[Server, Cache, Listing]:
    server, cache = Server(*NAMESPACES, *objects), Cache()
    scope = (Watched(KINDS["SmtpRelay"]), Watched(SERVICE))
    return server, cache, Listing(server, cache, scope, (NAMESPACE, "lb"))


def _both() -> tuple[Body, Body]:
    return relay("one"), resource("SmtpRelay", "two", {"upstreams": [{"providerRef": {"name": "x"}}]}, namespace="lb")


async def test_a_namespace_that_may_not_be_listed_is_closed_and_the_others_are_listed() -> None:
    server, cache, listing = _listed(*_both())
    server.denied = {("lb", "SmtpRelay")}
    assert Key("SmtpRelay", NAMESPACE, "one") in await listing.refresh()
    assert listing.open == (NAMESPACE,)
    assert "namespace lb is not served: SmtpRelay cannot be listed: forbidden" in listing.closed["lb"]
    assert "its statuses stay as they were" in listing.closed["lb"]
    assert "helm upgrade" in listing.closed["lb"]
    assert cache.resource(OTHER) is None


async def test_of_a_namespace_in_which_one_kind_may_not_be_listed_nothing_is_taken() -> None:
    server, cache, listing = _listed(*_both())
    server.denied = {("lb", "Service")}
    await listing.refresh()
    assert listing.open == (NAMESPACE,)
    assert cache.resource(OTHER) is None


async def test_while_a_closed_namespace_is_there_what_was_known_of_it_stays_and_it_may_open_again() -> None:
    server, cache, listing = _listed(*_both())
    await listing.refresh()
    server.denied = {("lb", "SmtpRelay")}
    assert await listing.refresh() == frozenset()
    assert cache.resource(OTHER) is not None
    server.objects.pop(("SmtpRelay", "lb", "two"))
    server.denied.clear()
    assert OTHER in await listing.refresh(only=("lb",))
    assert listing.open == (NAMESPACE, "lb")
    assert cache.resource(OTHER) is None


async def test_what_was_in_a_namespace_that_is_gone_is_forgotten() -> None:
    server, cache, listing = _listed(*_both())
    await listing.refresh()
    server.denied = {("lb", "SmtpRelay")}
    server.objects.pop(("Namespace", "", "lb"))
    assert OTHER in await listing.refresh()
    assert "lb is not served: it is not there; create it and run `helm upgrade`" in listing.closed["lb"]
    assert cache.resource(OTHER) is None
    assert cache.resource(Key("SmtpRelay", NAMESPACE, "one")) is not None
