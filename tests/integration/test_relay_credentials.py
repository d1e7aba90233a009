"""A real relay whose provider's password changes: mail goes on, the report tells which credential is in use and why."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.http_exchange import ask
from tests.support.ledger import Clients, Ledger
from tests.support.mounts import Mounts
from tests.support.relay_process import TOKEN, RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
OLD = {"username": "old-user", "password": "old-canary-1f6a"}
WRONG = {"username": "new-user", "password": "wrong-canary-7c3d"}
NEW = {"username": "new-user", "password": "new-canary-e08b"}
ACCOUNTS = {OLD["username"]: OLD["password"], NEW["username"]: NEW["password"]}
PROBE = "/v1/upstreams/up/probe"


def _secrets(current: dict[str, str], previous: dict[str, str] | None = None) -> dict[str, str]:
    """The assembled Secret's keys."""
    before = {f"previous.{key}": value for key, value in (previous or {}).items()}
    since = {"previous.since": "1790000000"} if previous else {}
    return {f"provider.up.{key}": value for key, value in {**current, **before, **since}.items()}


def _document(server: ScriptedServer, port: int, revision: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    up = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
    return relay_document([up | {"auth": "Plain"} | fields], port, secretRevision=revision)


class Stage:
    """A relay that runs with the old credential, its provider, and its mounts."""

    def __init__(self, relay: RelayProcess, server: ScriptedServer, mounts: Mounts, port: int) -> None:
        self.relay, self.server, self.mounts, self.port = relay, server, mounts, port

    def rotate(self, revision: str, current: dict[str, str], previous: dict[str, str] | None = None) -> None:
        """Mount other secrets and the configuration that names them."""
        self.mounts.secrets(_secrets(current, previous), revision)
        self.mounts.config(_document(self.server, self.port, revision))

    async def upstream(self, condition: Callable[[dict[str, Any]], bool], revision: str = "") -> dict[str, Any]:
        """Wait until the upstream's report is as wanted; gives it."""
        report = await self.relay.until(
            "/v1/report",
            lambda one: one["secretRevision"] == (revision or one["secretRevision"]) and condition(one["upstreams"][0]),
        )
        found: dict[str, Any] = report["upstreams"][0]
        return found

    @property
    def logins(self) -> int:
        """How often somebody has logged in, or tried to."""
        return len([one for one in self.server.commands if " AUTH " in one])


@asynccontextmanager
async def _staged(directory: Path, port: int, **fields: Any) -> AsyncIterator[Stage]:  # noqa: ANN401 - of the upstream
    mounts = Mounts(directory, _secrets(OLD), "r1")
    async with ScriptedServer({"accounts": ACCOUNTS}) as server:
        async with running_relay(directory, _document(server, port, "r1", **fields)) as relay:
            yield Stage(relay, server, mounts, port)
            report = b"" if relay.process.returncode is not None else (await relay.get("/v1/report")).body
        assert b"canary" not in report
        assert "canary" not in relay.log()


async def test_a_wrong_new_password_stops_no_mail_and_the_report_tells_it(tmp_path: Path, free_port: int) -> None:
    async with _staged(tmp_path, free_port) as stage:
        await stage.relay.submit(MAIL)
        await stage.upstream(lambda one: one["credential"] == "Proved")
        stage.rotate("r2", WRONG, OLD)
        known = await stage.upstream(lambda one: one["credential"] == "Unproved", "r2")
        assert known["probe"] is None
        before = stage.logins
        for _ in range(5):
            await stage.relay.submit(MAIL)
        known = await stage.upstream(lambda one: one["delivered"] == 6)
        assert (known["credential"], known["breaker"]) == ("Previous", "Closed")
        assert (known["credentialReply"]["code"], known["credentialReply"]["stage"]) == (535, "auth")
        assert "Secret" in known["credentialReply"]["remedy"]
        assert {one.user for one in stage.server.accepted} == {"old-user"}
        refused = [one for one in stage.relay.events("credential-previous") if one["upstream"] == "up"]
        assert len(refused) == 1
        assert stage.logins - before <= 1 + 5  # one with the new password, at most one a mail with the old


async def test_a_rotation_to_a_good_password_is_proved_and_the_previous_one_may_go(
    tmp_path: Path, free_port: int
) -> None:
    async with _staged(tmp_path, free_port) as stage:
        await stage.relay.submit(MAIL)
        await stage.upstream(lambda one: one["credential"] == "Proved")
        stage.rotate("r2", NEW, OLD)
        await stage.upstream(lambda one: one["credential"] == "Unproved", "r2")
        await stage.relay.submit(MAIL)
        await stage.upstream(lambda one: one["credential"] == "Proved", "r2")
        before = stage.logins
        stage.rotate("r3", NEW)
        known = await stage.upstream(lambda one: one["credential"] == "Proved", "r3")
        assert known["credentialReply"] is None
        await stage.relay.submit(MAIL)
        await stage.upstream(lambda one: one["delivered"] == 3)
        assert stage.logins == before  # dropping the previous one costs no connection and no proof
        assert [one.user for one in stage.server.accepted] == ["old-user", "new-user", "new-user"]


async def test_a_mended_password_is_tried_at_once_and_takes_over(tmp_path: Path, free_port: int) -> None:
    async with _staged(tmp_path, free_port) as stage:
        stage.rotate("r2", WRONG, OLD)
        await stage.upstream(lambda _: True, "r2")
        await stage.relay.submit(MAIL)
        await stage.upstream(lambda one: one["credential"] == "Previous")
        stage.rotate("r3", NEW, OLD)
        await stage.upstream(lambda one: one["credential"] == "Unproved", "r3")
        await stage.relay.submit(MAIL)
        known = await stage.upstream(lambda one: one["delivered"] == 2)
        assert (known["credential"], known["credentialReply"]) == ("Proved", None)
        assert [one.user for one in stage.server.accepted] == ["old-user", "new-user"]


async def test_a_restart_is_no_reason_to_try_a_refused_password_again(tmp_path: Path, free_port: int) -> None:
    mounts = Mounts(tmp_path, _secrets(WRONG, OLD), "r1")
    async with ScriptedServer({"accounts": ACCOUNTS}) as server:
        document = _document(server, free_port, "r1")
        for start in range(1, 4):
            async with running_relay(tmp_path, document) as relay:
                stage = Stage(relay, server, mounts, free_port)
                if start > 1:
                    known = await stage.upstream(lambda _: True)
                    assert (known["credential"], known["credentialReply"]["code"]) == ("Previous", 535)
                await relay.submit(MAIL)
                await stage.upstream(lambda one: one["delivered"] == 1 and one["credential"] == "Previous")
                assert stage.logins == 1 + start


async def test_with_both_passwords_refused_mail_is_held_under_the_rule_of_auth(tmp_path: Path, free_port: int) -> None:
    async with _staged(tmp_path, free_port) as stage:
        stage.server.play({"accounts": {"somebody": "else"}})
        stage.rotate("r2", WRONG, OLD)
        await stage.upstream(lambda _: True, "r2")
        await stage.relay.submit(MAIL)
        known = await stage.upstream(lambda one: one["held"] == 1)
        assert (known["credential"], known["breaker"], known["breakerFault"]) == ("Refused", "Open", "auth")
        assert known["nextAttempt"] - known["credentialReply"]["time"] >= 300
        assert stage.logins == 2
        assert (await stage.relay.post(PROBE)).status == 202
        known = await stage.upstream(lambda one: one["probe"] is not None)
        assert known["probe"]["stages"][-1] == {"stage": "Auth", "passed": False, "reply": known["credentialReply"]}
        assert stage.logins == 2


async def test_a_rotation_under_load_loses_and_doubles_nothing(tmp_path: Path, free_port: int) -> None:
    ledger = Ledger()
    async with _staged(tmp_path, free_port) as stage:
        ledger.watch(stage.server, "up")
        clients = Clients(ledger, stage.relay.smtp, sizes=(4096,))
        load = asyncio.create_task(clients.run(6))
        for revision, current in (("r2", WRONG), ("r3", NEW)):
            await asyncio.sleep(0.5)
            stage.rotate(revision, current, OLD)
            wanted = "Previous" if current is WRONG else "Proved"
            await stage.upstream(lambda one, wanted=wanted: one["credential"] == wanted, revision)  # type: ignore[misc]
        await asyncio.sleep(0.5)
        clients.stop()
        await asyncio.wait_for(load, 30)
        await ledger.settled(30)
        refused = stage.relay.events("credential-previous")
    assert (ledger.lost, ledger.doubled, ledger.damaged, ledger.refused) == ([], {}, [], {})
    assert len(refused) == 1


async def test_a_reply_to_a_probe_that_no_rule_knows_is_listed(tmp_path: Path, free_port: int) -> None:
    async with _staged(tmp_path, free_port, probeSender="noreply@example.com") as stage:
        stage.server.play({"accounts": ACCOUNTS, "steps": {"mail": "550 5.9.9 quirk of noreply@example.com"}})
        assert (await stage.relay.post(PROBE)).status == 202
        await stage.upstream(lambda one: one["probe"] is not None)
        (listed,) = (await stage.relay.get("/v1/replies")).json()["replies"]
        assert (listed["provider"], listed["stage"], listed["text"]) == ("up", "mail", "quirk of <address>")
        metrics = (await stage.relay.get("/metrics")).body.decode()
        assert 'mailhaul_unmatched_replies_total{upstream="up"} 1' in metrics


async def test_a_probe_proves_a_new_password_before_any_mail_and_sends_none(tmp_path: Path, free_port: int) -> None:
    async with _staged(tmp_path, free_port, probeSender="noreply@example.com") as stage:
        began = time.time()
        assert (await stage.relay.post(PROBE)).status == 202
        again = await stage.relay.post(PROBE)
        assert (again.status, again.headers["retry-after"].isdigit()) == (429, True)
        known = await stage.upstream(lambda one: one["probe"] is not None)
        assert known["probe"]["time"] >= began
        assert [(one["stage"], one["passed"]) for one in known["probe"]["stages"]] == [
            ("Connect", True), ("EHLO", True), ("Auth", True), ("Sender", True)
        ]  # fmt: skip
        assert (known["credential"], known["delivered"]) == ("Proved", 0)
        assert stage.server.messages == []
        assert (await stage.relay.post("/v1/upstreams/nobody/probe")).status == 404
        assert (await ask(stage.relay.http, "POST", PROBE)).status == 401
        headers = {"X-Mailhaul-Token": TOKEN, "Authorization": "Bearer of-the-proxy"}
        assert (await ask(stage.relay.http, "POST", PROBE, headers=headers)).status == 429
        # The same settings under another revision keep the result, another credential forgets it and may be probed.
        stage.mounts.secrets(_secrets(OLD), "r2")
        stage.mounts.config(_document(stage.server, stage.port, "r2", probeSender="noreply@example.com"))
        assert await stage.upstream(lambda one: one["probe"] == known["probe"], "r2")
        stage.rotate("r3", WRONG, OLD)
        await stage.upstream(lambda one: one["probe"] is None, "r3")
        assert (await stage.relay.post(PROBE)).status == 202
        known = await stage.upstream(lambda one: one["probe"] is not None)
        assert (known["probe"]["stages"][-1]["stage"], known["credential"]) == ("Auth", "Previous")
        assert known["breaker"] == "Closed"
        await stage.relay.submit(MAIL)
        known = await stage.upstream(lambda one: one["delivered"] == 1)
        assert known["credential"] == "Previous"


async def test_a_stop_does_not_wait_for_a_probe_that_hangs(tmp_path: Path, free_port: int) -> None:
    async with _staged(tmp_path, free_port) as stage:
        stage.server.play({"steps": {"ehlo": "hang"}})
        assert (await stage.relay.post(PROBE)).status == 202
        async with asyncio.timeout(5):
            while not stage.server.commands:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
        report = await stage.relay.get("/v1/report")
        assert report.json()["upstreams"][0]["probe"] is None
        assert await stage.relay.terminate() < 5
