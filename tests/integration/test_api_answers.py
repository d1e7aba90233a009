"""What an API server answers becomes a value, whatever it is; what is applied arrives as it was given."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from mailhaul_operator.effects.api import Api
from mailhaul_operator.plan.naming import MANAGER
from mailhaul_operator.wire.kinds import KINDS
from mailhaul_operator.wire.refused import Refusal, Refused

pytestmark = pytest.mark.integration

STATUS = {"kind": "Status", "message": 'secrets "a" not found', "reason": "NotFound"}
ANSWERS = {"status": (404, json.dumps(STATUS)), "text": (503, "overloaded"), "nothing": (403, ""), "list": (200, "[]")}


class ApiServer:
    """Answers by the name of the object, and notes the last request."""

    def __init__(self) -> None:
        self.query: dict[str, str] = {}
        self.body: object = None

    async def answer(self, request: web.Request) -> web.Response:
        self.query = dict(request.query)
        name = request.path.rsplit("/", 1)[-1]
        if name in ANSWERS:
            status, text = ANSWERS[name]
            return web.Response(status=status, text=text, content_type="application/json")
        self.body = json.loads(await request.text())
        return web.json_response(self.body)


@pytest_asyncio.fixture
async def asked(tmp_path: Path) -> AsyncIterator[tuple[Api, ApiServer]]:
    server, app = ApiServer(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}}],
        "users": [{"name": "it", "user": {"token": "none"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    api = await Api.open(tmp_path / "config")
    yield api, server
    await api.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("status", Refusal.NOT_FOUND, 'secrets "a" not found'),
        ("text", Refusal.UNAVAILABLE, "overloaded"),
        ("nothing", Refusal.FORBIDDEN, "the API server answers 403"),
        ("list", Refusal.UNAVAILABLE, "the API server's answer is no object"),
    ],
)
async def test_every_answer_is_a_value(asked: tuple[Api, ApiServer], name: str, kind: Refusal, words: str) -> None:
    answer = await asked[0].get(KINDS["ConfigMap"], "smtp", name)
    assert isinstance(answer, Refused)
    assert (answer.kind, answer.message) == (kind, words)


async def test_an_object_arrives_as_it_was_given(asked: tuple[Api, ApiServer]) -> None:
    api, server = asked
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "smtp", "name": "relay", "labels": {}},
        "data": {"a": "Grüße\n{{ x }}", "none": None, "list": [1, True, 0.5, ["b"]]},
    }
    assert await api.apply(body) == body
    assert server.body == body
    assert server.query == {"fieldManager": MANAGER, "fieldValidation": "Ignore", "force": "true"}
