"""The suppression list over HTTP: the token first, strict orders, pages."""

import json
from collections.abc import AsyncIterator

import pytest
from tests.support.http_exchange import Answer, ask, bearer, serving
from tests.support.memory_spool import MemorySpool

from mailhaul_contract.suppression import Suppression
from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.suppression_routes import suppression_routes
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue import suppressor as module
from mailhaul_relay.queue.suppressor import Suppressor
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "canary-token"


class Desk:
    def __init__(self, port: int, suppressor: Suppressor) -> None:
        self.port, self.suppressor = port, suppressor

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        return await ask(self.port, method, path, body, bearer(TOKEN))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    suppressor = Suppressor(MemorySpool(), Suppression, Log(lambda _: None), VirtualClock())
    async with serving(suppression_routes(suppressor, Guard(lambda: TOKEN, Tally()))) as server:
        yield Desk(server.port, suppressor)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/suppression"), ("POST", "/v1/suppression"), ("POST", "/v1/suppression/release")]
)
async def test_every_endpoint_needs_the_token(desk: Desk, method: str, path: str) -> None:
    assert (await ask(desk.port, method, path)).status == 401


async def test_an_address_is_added_listed_and_released(desk: Desk) -> None:
    body = b'{"address": "Gone@Example.NET", "lasts": 3600, "reason": "asked us to"}'
    assert (await desk.ask("POST", "/v1/suppression", body)).status == 200
    page = (await desk.ask("GET", "/v1/suppression?address=gone")).json()
    (one,) = page["recipients"]
    assert (one["address"], one["byHand"], one["words"]) == ("gone@example.net", True, "asked us to")
    assert one["until"] - one["since"] == 3600
    released = await desk.ask("POST", "/v1/suppression/release", b'{"addresses": ["GONE@example.net", "x@y.example"]}')
    assert released.json() == {"released": ["gone@example.net"]}
    assert (await desk.ask("GET", "/v1/suppression")).json() == {"recipients": [], "next": ""}


async def test_an_address_is_released_and_found_as_it_was_added(desk: Desk) -> None:
    written = "nobody@m\u00fcnchen.example"
    assert (await desk.ask("POST", "/v1/suppression", json.dumps({"address": written}).encode())).status == 200
    page = (await desk.ask("GET", "/v1/suppression?address=m%C3%BCnchen")).json()
    assert [one["address"] for one in page["recipients"]] == ["nobody@xn--mnchen-3ya.example"]
    released = await desk.ask("POST", "/v1/suppression/release", json.dumps({"addresses": [written]}).encode())
    assert released.json() == {"released": ["nobody@xn--mnchen-3ya.example"]}


async def test_a_list_goes_on_after_the_last_address(desk: Desk) -> None:
    for number in range(3):
        desk.suppressor.add(f"a{number}@example.net", "", 900)
    first = (await desk.ask("GET", "/v1/suppression?limit=2")).json()
    assert first["next"] == "a1@example.net"
    rest = (await desk.ask("GET", "/v1/suppression?limit=2&after=a1%40example.net")).json()
    assert ([one["address"] for one in rest["recipients"]], rest["next"]) == (["a2@example.net"], "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"address": "no address"}',
        b'{"address": "a@b.example", "lasts": 1}',
        b'{"address": "a@b.example", "x": 1}',
    ],
)
async def test_a_wrong_order_is_told(desk: Desk, body: bytes) -> None:
    assert (await desk.ask("POST", "/v1/suppression", body)).status == 400
    assert not desk.suppressor.refusing()


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "state=dead"])
async def test_a_wrong_query_is_told(desk: Desk, query: str) -> None:
    assert (await desk.ask("GET", f"/v1/suppression?{query}")).status == 400


async def test_a_list_full_of_addresses_of_people_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    assert (await desk.ask("POST", "/v1/suppression", b'{"address": "a@b.example"}')).status == 200
    refused = await desk.ask("POST", "/v1/suppression", b'{"address": "c@d.example"}')
    assert refused.status == 409
    assert "release some" in refused.json()["error"]
    assert len((await desk.ask("GET", "/v1/suppression")).json()["recipients"]) == 1
