"""Who gets in: the holder of the token, by every way that is meant, and nobody by any other."""

import base64

import pytest

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import Request, Response, text
from mailhaul_relay.http.routes import Handler
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "canary-token-0123456789"


async def _inside(_: Request) -> Response:
    return text("inside")


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def _status(
    handler: Handler, authorization: str | None = None, host: str = "relay:9090", peer: str = "127.0.0.1"
) -> int:
    headers = {"host": host} | ({} if authorization is None else {"authorization": authorization})
    return (await handler(Request("GET", "/", headers=headers, peer=peer))).status


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer  {TOKEN} ", _basic("", TOKEN), _basic("me", TOKEN)])
async def test_the_token_opens(value: str) -> None:
    assert await _status(Guard(lambda: TOKEN, Tally()).always(_inside), value) == 200


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        TOKEN,
        f"Token {TOKEN}",
        _basic(TOKEN, ""),
        "Basic ***",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Bearer \xe9\xff",
    ],
)
async def test_nothing_else_opens_and_each_try_is_counted(value: str | None) -> None:
    tally = Tally()
    assert await _status(Guard(lambda: TOKEN, tally).always(_inside), value) == 401
    assert tally.http_denied == 1


@pytest.mark.parametrize("value", [None, "Bearer ", "Bearer anything", _basic("", "")])
async def test_without_a_token_configured_the_closed_stays_closed(value: str | None) -> None:
    guard = Guard(lambda: "", Tally())
    refusal = await guard.always(_inside)(Request("GET", "/", headers={"authorization": value or ""}))
    assert refusal.status == 403
    assert b"api.token" in refusal.body
    assert await _status(guard.in_browser(_inside), value) == 403


@pytest.mark.parametrize("authorization", [None, "Bearer of-the-proxy", "Basic ***"])
async def test_the_token_opens_in_its_own_header_whatever_a_proxy_does_with_the_other(
    authorization: str | None,
) -> None:
    guard = Guard(lambda: TOKEN, Tally())
    headers = {"x-mailhaul-token": TOKEN} | ({} if authorization is None else {"authorization": authorization})
    for handler in (guard.always(_inside), guard.when_configured(_inside), guard.in_browser(_inside)):
        assert (await handler(Request("GET", "/", headers=headers))).status == 200


@pytest.mark.parametrize("value", ["", f"{TOKEN}x", f"Bearer {TOKEN}", "\xe9"])
async def test_nothing_else_opens_in_the_tokens_own_header(value: str) -> None:
    tally = Tally()
    request = Request("GET", "/", headers={"x-mailhaul-token": value})
    assert (await Guard(lambda: TOKEN, tally).always(_inside)(request)).status == 401
    assert tally.http_denied == 1
    assert (await Guard(lambda: "", tally).always(_inside)(request)).status == 403


async def test_a_new_token_replaces_the_old_one_at_once() -> None:
    token = [TOKEN]
    handler = Guard(lambda: token[0], Tally()).always(_inside)
    token[0] = "another"
    assert await _status(handler, f"Bearer {TOKEN}") == 401
    assert await _status(handler, "Bearer another") == 200


async def test_a_browser_is_asked_for_a_password() -> None:
    response = await Guard(lambda: TOKEN, Tally()).in_browser(_inside)(Request("GET", "/"))
    assert dict(response.headers)["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("host", ["localhost:9090", "127.0.0.1:9090", "[::1]:9090", "LOCALHOST", "127.0.0.1"])
async def test_loopback_names_open_a_loopback_page(host: str) -> None:
    assert await _status(Guard(lambda: TOKEN, Tally()).on_loopback(_inside), host=host) == 200


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:9090", "127.0.0.1.evil.example", "localhost:x", "::1"]
)
async def test_a_rebound_name_does_not_open_a_loopback_page(host: str) -> None:
    assert await _status(Guard(lambda: TOKEN, Tally()).on_loopback(_inside), host=host) == 403


@pytest.mark.parametrize("peer", ["10.0.0.7", "127.0.0.6", "", "::ffff:10.0.0.7"])
async def test_a_loopback_page_is_closed_to_other_machines(peer: str) -> None:
    handler = Guard(lambda: TOKEN, Tally()).on_loopback(_inside)
    assert await _status(handler, host="localhost:9090", peer=peer) == 403


async def test_a_refusal_never_repeats_a_token() -> None:
    response = await Guard(lambda: TOKEN, Tally()).always(_inside)(
        Request("GET", "/", headers={"authorization": "Bearer presented-canary"})
    )
    assert b"canary" not in response.body
    assert "canary" not in str(response.headers)
