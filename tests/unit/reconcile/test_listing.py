"""What is listed is what is remembered; but where a kind is not served, nothing is known of what there is."""

import pytest
from tests.support.cluster_objects import NAMESPACE, FakeServer, made, relay

from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.reconcile.listing import Listing, ListingError
from mailhaul_operator.reconcile.scope import Watched
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused

SERVICE, EXTERNAL = KINDS["Service"], KINDS["ExternalSecret"]


class Server(FakeServer):
    """Refuses to list some kinds."""

    def __init__(self, *objects: Body) -> None:
        super().__init__(*objects)
        self.refusals: dict[str, Refused] = {}

    async def list_all(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...] | Refused:
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
