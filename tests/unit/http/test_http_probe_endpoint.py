"""A probe is asked for with the token, by the upstream's handle, and answered at once."""

import pytest
from tests.support.http_exchange import ask, bearer, serving

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.probe_route import probe_route
from mailhaul_relay.queue.prober import Answer, Asked
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "probe-canary-9c2e"


class Desk:
    """Answers as it is told, and remembers who was asked for."""

    def __init__(self, answer: Asked) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def ask(self, name: str) -> Asked:
        self.asked.append(name)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (Asked(Answer.STARTED), 202, "started"),
        (Asked(Answer.UNKNOWN), 404, "no such upstream"),
        (Asked(Answer.CAPTURE), 409, "inbox"),
        (Asked(Answer.TOO_SOON, 7), 429, "7 s"),
        (Asked(Answer.STOPPING), 503, "stopping"),
    ],
)
async def test_each_answer_has_its_status_and_words(answer: Asked, status: int, words: str) -> None:
    desk = Desk(answer)
    async with serving([probe_route(desk.ask, Guard(lambda: TOKEN, Tally()))]) as server:
        said = await ask(server.port, "POST", "/v1/upstreams/up-1/probe", headers=bearer(TOKEN))
    assert (said.status, desk.asked) == (status, ["up-1"])
    assert words in said.body.decode()
    assert said.headers.get("retry-after") == ("7" if status == 429 else None)


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/v1/upstreams/up/probe", "", 401),
        ("/v1/upstreams/up/probe", "wrong", 401),
        ("/v1/upstreams//probe", TOKEN, 404),
        ("/v1/upstreams/a/b/probe", TOKEN, 404),
        ("/v1/upstreams/%61/probe", TOKEN, 404),
        ("/v1/upstreams/../probe", TOKEN, 404),
        (f"/v1/upstreams/{'a' * 65}/probe", TOKEN, 404),
    ],
)
async def test_nobody_else_and_nothing_else_starts_a_probe(path: str, token: str, status: int) -> None:
    desk = Desk(Asked(Answer.STARTED))
    async with serving([probe_route(desk.ask, Guard(lambda: TOKEN, Tally()))]) as server:
        said = await ask(server.port, "POST", path, headers=bearer(token) if token else {})
        assert said.status == status
        assert (await ask(server.port, "GET", "/v1/upstreams/up/probe", headers=bearer(TOKEN))).status == 405
    assert desk.asked == []
