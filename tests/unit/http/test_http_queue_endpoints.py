"""The queue over HTTP: the token first, strict orders, and answers that say what to do."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.http_exchange import Answer, ask, bearer, serving
from tests.support.memory_spool import MemorySpool
from tests.support.queue_desk import journal_of
from tests.support.queued_mail import ACCEPTED, dead, held, message_id, queued
from tests.support.queueing import running, upstream

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.queue_routes import queue_routes
from mailhaul_relay.http.queue_views import MAX_LISTED
from mailhaul_relay.model.message import Message, Progress, Recipient, State
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.commands import QueueCommands
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "canary-token"
PATHS = [
    ("GET", "/v1/queue"),
    ("GET", "/v1/queue/abc"),
    ("POST", "/v1/queue/abc/retry"),
    ("POST", "/v1/queue/abc/drop"),
    ("POST", "/v1/queue/retry"),
    ("POST", "/v1/queue/drop"),
    ("GET", "/v1/queue/abc/raw"),
    *(("POST", f"/v1/queue/{where}{verb}") for where in ("", "abc/") for verb in ("hold", "release", "move", "bounce")),
]


class FakeClaims:
    def __init__(self) -> None:
        self.active: set[str] = set()

    def claim(self, message_id: str) -> bool:
        return message_id not in self.active

    def release(self, message_id: str) -> None:
        assert message_id not in self.active

    def kick(self) -> None:
        return


class Desk:
    """A server with the queue's routes over a spool in memory."""

    def __init__(self, port: int, spool: MemorySpool, claims: FakeClaims, token: list[str]) -> None:
        self.port, self.spool, self.claims, self.token = port, spool, claims, token

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        return await ask(self.port, method, path, body, bearer(TOKEN))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    spool, claims, token = MemorySpool(), FakeClaims(), [TOKEN]
    configured, clock = running(upstreams=[upstream("primary"), upstream("backup", 10)]), VirtualClock(ACCEPTED + 9)
    journal = journal_of(spool, Tally(), [], lambda: configured, clock)
    commands = QueueCommands(spool, claims, lambda: configured, journal, clock)
    async with serving(queue_routes(commands, clock, Guard(lambda: token[0], Tally()))) as server:
        yield Desk(server.port, spool, claims, token)


def _fill(desk: Desk, *messages: Message) -> None:
    desk.spool.messages = {one.id: one for one in messages}


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_every_endpoint_of_the_queue_needs_the_token(desk: Desk, method: str, path: str) -> None:
    assert (await ask(desk.port, method, path)).status == 401
    assert (await ask(desk.port, method, path, headers=bearer("wrong"))).status == 401


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_without_a_token_configured_the_queue_is_closed_and_says_why(desk: Desk, method: str, path: str) -> None:
    desk.token[0] = ""
    answer = await desk.ask(method, path)
    assert answer.status == 403
    assert "api.token" in answer.json()["error"]


async def test_a_list_shows_state_age_and_last_words(desk: Desk) -> None:
    _fill(desk, queued(0, held(), Progress(State.DELIVERED)), queued(1))
    page = (await desk.ask("GET", "/v1/queue")).json()
    assert page["next"] == ""
    first, second = page["messages"]
    assert (first["state"], first["upstream"], first["fault"]) == ("held", "primary", "auth")
    assert first["text"] == "535 5.7.8 authentication failed"
    assert (first["accepted"], first["recipientCount"]) == (ACCEPTED, 2)
    assert (second["state"], second["attempts"]) == ("queued", 0)


async def test_a_list_takes_states_parts_of_addresses_and_pages(desk: Desk) -> None:
    _fill(desk, queued(0, held()), queued(1, dead()), queued(2, held()), queued(3))
    page = (await desk.ask("GET", "/v1/queue?state=held,dead&limit=2&sender=app%40example.com")).json()
    assert [one["id"] for one in page["messages"]] == [message_id(0), message_id(1)]
    rest = (await desk.ask("GET", f"/v1/queue?state=held,dead&limit=2&after={page['next']}")).json()
    assert [one["id"] for one in rest["messages"]] == [message_id(2)]


async def test_a_row_names_few_of_many_recipients(desk: Desk) -> None:
    _fill(desk, queued(0, *[held()] * 500))
    (row,) = (await desk.ask("GET", "/v1/queue")).json()["messages"]
    assert (len(row["recipients"]), row["recipientCount"]) == (MAX_LISTED, 500)


@pytest.mark.parametrize(
    "query",
    ["state=lost", "limit=0", "limit=501", "limit=-1", "limit=x", "limit=%D9%A1", "secret=1", "state=held;dead"],
)
async def test_a_wrong_query_is_told(desk: Desk, query: str) -> None:
    answer = await desk.ask("GET", f"/v1/queue?{query}")
    assert answer.status == 400
    assert answer.json()["error"]


async def test_show_gives_fates_and_head_but_never_the_body(desk: Desk) -> None:
    _fill(desk, queued(0, held(), head=b"Subject: x\r\n..dot: y\r\n\xff\r\n\r\n"))
    shown = await desk.ask("GET", f"/v1/queue/{message_id(0)}")
    message = shown.json()
    assert message["head"] == "Subject: x\r\n.dot: y\r\n\ufffd\r\n\r\n"
    assert message["recipients"][0]["code"] == 535
    assert message["client"] == "127.0.0.1"
    assert b"hello" not in shown.body


@pytest.mark.parametrize("verb", ["", "/retry", "/drop"])
async def test_a_message_that_is_gone_is_404(desk: Desk, verb: str) -> None:
    answer = await desk.ask("POST" if verb else "GET", f"/v1/queue/{message_id(7)}{verb}")
    assert answer.status == 404
    assert "delivered or dropped" in answer.json()["error"]


@pytest.mark.parametrize("verb", ["retry", "drop"])
async def test_a_message_that_is_being_delivered_is_409(desk: Desk, verb: str) -> None:
    _fill(desk, queued(0, held()))
    desk.claims.active.add(message_id(0))
    answer = await desk.ask("POST", f"/v1/queue/{message_id(0)}/{verb}")
    assert (answer.status, answer.json()["error"]) == (409, "the message is being delivered now, try again")


async def test_retry_and_drop_of_one(desk: Desk) -> None:
    _fill(desk, queued(0, dead()))
    retried = await desk.ask("POST", f"/v1/queue/{message_id(0)}/retry", b'{"upstream": "backup"}')
    assert (retried.status, retried.json()) == (200, {"result": "done"})
    assert desk.spool.messages[message_id(0)].progress[0].pinned == "backup"
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/drop")).status == 200
    assert not desk.spool.messages


async def test_an_unknown_upstream_is_400(desk: Desk) -> None:
    _fill(desk, queued(0, held()))
    answer = await desk.ask("POST", f"/v1/queue/{message_id(0)}/retry", b'{"upstream": "typo"}')
    assert answer.status == 400
    assert "/v1/report" in answer.json()["error"]


async def test_many_are_retried_and_dropped_by_state(desk: Desk) -> None:
    _fill(desk, queued(0, dead()), queued(1, held()))
    dropped = await desk.ask("POST", "/v1/queue/drop", b'{"states": ["dead"]}')
    assert dropped.json() == {"done": 1, "skipped": 0, "next": ""}
    retried = await desk.ask("POST", "/v1/queue/retry", b'{"states": ["held", "deferred"]}')
    assert retried.json() == {"done": 1, "skipped": 0, "next": ""}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"states": []}',
        b'{"states": ["all"]}',
        b'{"states": "dead"}',
        b'{"state": ["dead"]}',
        b"[1]",
        b"{",
        b"[" * 50_000,
        b"\xff",
    ],
)
async def test_many_need_their_states_named(desk: Desk, body: bytes) -> None:
    _fill(desk, queued(0, dead()))
    for verb in ("retry", "drop"):
        answer = await desk.ask("POST", f"/v1/queue/{verb}", body)
        assert answer.status == 400
        assert answer.json()["error"]
    assert desk.spool.messages[message_id(0)].progress == (dead(),)


async def test_an_unknown_field_of_an_order_is_refused(desk: Desk) -> None:
    _fill(desk, queued(0, dead()))
    answer = await desk.ask("POST", f"/v1/queue/{message_id(0)}/drop", b'{"really": "canary-value"}')
    assert answer.status == 400
    assert "really" in answer.json()["error"]
    assert "canary-value" not in answer.json()["error"]
    assert desk.spool.messages


async def test_a_failing_store_is_503_without_its_words(desk: Desk) -> None:
    _fill(desk, queued(0, held()))
    desk.spool.fault = SpoolError("canary: /var/spool/mailhaul/queue.db")
    answer = await desk.ask("POST", f"/v1/queue/{message_id(0)}/retry")
    assert answer.status == 503
    assert b"canary" not in answer.body


async def test_a_list_takes_every_filter(desk: Desk) -> None:
    _fill(desk, queued(0, held(), to=("a@one.example",)), queued(1, held(fault="quota", upstream="backup")))
    for query in ("domain=one.example", "fault=auth", "through=primary", "recipient=a%40"):
        page = (await desk.ask("GET", f"/v1/queue?{query}&newer=60")).json()
        assert [one["id"] for one in page["messages"]] == [message_id(0)], query
    assert (await desk.ask("GET", "/v1/queue?older=60")).json()["messages"] == []


@pytest.mark.parametrize("query", ["older=x", "newer=-1", "older=99999999999", "fault=bad-luck", "through=" + "x" * 64])
async def test_a_wrong_filter_is_told(desk: Desk, query: str) -> None:
    assert (await desk.ask("GET", f"/v1/queue?{query}")).status == 400


async def test_mail_on_hold_says_so(desk: Desk) -> None:
    _fill(desk, queued(0, held()))
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/hold")).status == 200
    shown = (await desk.ask("GET", f"/v1/queue/{message_id(0)}")).json()
    assert (shown["onHold"], shown["recipients"][0]["onHold"], shown["fault"]) == (True, True, "operator")
    assert (shown["due"], shown["recipients"][0]["due"]) == (0.0, 0.0), "nothing is to come until a person acts"
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/hold")).status == 409
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/release")).status == 200
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/release")).status == 409


async def test_a_dry_run_only_counts(desk: Desk) -> None:
    _fill(desk, queued(0, held()), queued(1, dead()))
    counted = await desk.ask("POST", "/v1/queue/bounce", b'{"states": ["held"], "dryRun": true}')
    assert counted.json() == {"done": 1, "skipped": 0, "next": ""}
    assert desk.spool.messages[message_id(0)].progress == (held(),)


@pytest.mark.parametrize("path", [f"/v1/queue/{message_id(0)}/move", "/v1/queue/move"])
async def test_a_move_must_say_where_to(desk: Desk, path: str) -> None:
    _fill(desk, queued(0, held()))
    body = b"{}" if message_id(0) in path else b'{"states": ["held"]}'
    answer = await desk.ask("POST", path, body)
    assert answer.status == 400
    assert "upstream" in answer.json()["error"]


async def test_an_order_that_sends_nowhere_takes_no_upstream(desk: Desk) -> None:
    _fill(desk, queued(0, held()))
    answer = await desk.ask("POST", "/v1/queue/hold", b'{"states": ["held"], "upstream": "backup"}')
    assert (answer.status, "through" in answer.json()["error"]) == (400, True)


async def test_a_message_comes_as_a_file(desk: Desk) -> None:
    _fill(desk, queued(0, head=b"Subject: x\r\n..dot: y\r\n\r\n"))
    answer = await desk.ask("GET", f"/v1/queue/{message_id(0)}/raw")
    assert (answer.status, answer.headers["content-type"]) == (200, "message/rfc822")
    assert b"\r\n.dot: y\r\n" in answer.body
    assert (await desk.ask("GET", f"/v1/queue/{message_id(9)}/raw")).status == 404


async def test_a_copy_for_the_archive_is_named_in_a_list(desk: Desk) -> None:
    message = queued(0, dead())
    copy = replace(message.envelope, recipients=(Recipient("", "all@archive.example"),))
    _fill(desk, replace(message, envelope=copy))
    (row,) = (await desk.ask("GET", "/v1/queue")).json()["messages"]
    assert row["recipients"] == ["all@archive.example"]


@pytest.mark.parametrize(
    "query",
    [
        "domain=m%C3%BCnchen.example",
        "recipient=a%40m%C3%BCnchen",
        "sender=M%C3%9CNCHEN",
        "domain=xn--mnchen-3ya.example",
    ],
)
async def test_a_domain_is_found_as_people_write_it(desk: Desk, query: str) -> None:
    _fill(desk, queued(0, sender="b@xn--mnchen-3ya.example", to=("a@xn--mnchen-3ya.example",)), queued(1))
    found = (await desk.ask("GET", f"/v1/queue?{query}")).json()["messages"]
    assert [one["id"] for one in found] == [message_id(0)]


async def test_delivered_is_no_state_of_the_queue_and_the_field_is_named(desk: Desk) -> None:
    listed = await desk.ask("GET", "/v1/queue?state=delivered")
    assert (listed.status, listed.json()["error"][:5]) == (400, "state")
    told = await desk.ask("POST", "/v1/queue/retry", b'{"states": ["delivered"]}')
    assert told.status == 400
    assert "queued, deferred, held or dead" in told.json()["error"]


async def test_a_dry_run_of_one_says_what_the_order_would_and_changes_nothing(desk: Desk) -> None:
    _fill(desk, queued(0, held()))
    dry = b'{"dryRun": true}'
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/release", dry)).status == 409
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/drop", dry)).status == 200
    assert (await desk.ask("POST", f"/v1/queue/{message_id(1)}/drop", dry)).status == 404
    nowhere = b'{"upstream": "nowhere", "dryRun": true}'
    assert (await desk.ask("POST", f"/v1/queue/{message_id(0)}/move", nowhere)).status == 400
    assert desk.spool.messages[message_id(0)].progress == (held(),)
