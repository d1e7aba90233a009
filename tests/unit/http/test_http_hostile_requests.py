"""Whatever a client sends, it gets a plain answer or a closed connection, and others are served on."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.support.http_exchange import ask, parsed, raw, serving

from mailhaul_relay.http.connection import Bounds
from mailhaul_relay.http.messages import Request, Response, text
from mailhaul_relay.http.routes import Route

CASES = tomllib.loads(Path(__file__).with_name("hostile_requests.toml").read_text(encoding="utf-8"))["case"]


async def _hello(request: Request) -> Response:
    return text(f"hello {request.parameter} {request.body.decode()}")


ROUTES = (Route("GET", "/hello", _hello), Route("POST", "/hello", _hello), Route("GET", "/items/{id}", _hello))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_every_request_gets_its_answer_and_the_next_client_is_served(case: dict[str, Any]) -> None:
    async with serving(ROUTES, Bounds(request_time=2.0, idle_time=2.0)) as server:
        sent = case["send"].encode("latin-1")
        content = await raw(server.port, sent, half_close=case.get("half_close", False))
        if content.startswith(b"HTTP/1.1 100"):
            content = content.partition(b"\r\n\r\n")[2]
        assert parsed(content).status == case["status"]
        assert (await ask(server.port, "GET", "/hello")).status == 200


async def test_an_answer_shows_nothing_of_the_request() -> None:
    async with serving(ROUTES) as server:
        answer = await ask(server.port, "GET", "/canary-path?canary=1", headers={"X-Canary": "canary"})
        assert answer.status == 404
        assert b"canary" not in answer.body
