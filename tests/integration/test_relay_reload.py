"""Configuration and secrets swapped under load, as Kubernetes swaps them: live within a second, and nobody notices."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.ledger import Clients, Ledger
from tests.support.mounts import Mounts
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
LIVE = 1.0
"""Seconds within which a swap must be live; machines that are busy with other tests get the same again on top."""


def upstream(name: str, port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"name": name, "provider": name, "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}} | changes


@asynccontextmanager
async def two_upstreams(ledger: Ledger) -> AsyncIterator[tuple[ScriptedServer, ScriptedServer]]:
    async with ScriptedServer() as one, ScriptedServer() as two:
        ledger.watch(one, "one")
        ledger.watch(two, "two")
        yield one, two


async def _live(relay: RelayProcess, digest_before: str) -> float:
    """Wait until another configuration is reported; gives the seconds."""
    began = time.monotonic()
    await relay.until("/v1/report", lambda one: one["digest"] != digest_before, 10)
    return time.monotonic() - began


async def test_a_switch_of_the_provider_under_load_drops_no_connection_and_loses_and_doubles_nothing(
    tmp_path: Path, free_port: int
) -> None:
    ledger, mounts = Ledger(), Mounts(tmp_path)
    async with two_upstreams(ledger) as (one, two):
        first = relay_document([upstream("up", one.port)], free_port)
        second = relay_document([upstream("up", two.port)], free_port)
        async with running_relay(tmp_path, first) as relay:
            clients = Clients(ledger, relay.smtp, sizes=(4096, 65536))
            load = asyncio.create_task(clients.run(6))
            times = []
            for document in (second, first) * 3:
                await asyncio.sleep(0.4)
                before = (await relay.get("/v1/report")).json()["digest"]
                mounts.config(document)
                times.append(await _live(relay, before))
            clients.stop()
            await asyncio.wait_for(load, 30)
            await ledger.settled(30)
    assert clients.disconnections == 0
    assert (ledger.lost, ledger.doubled, ledger.damaged, ledger.refused) == ([], {}, [], {})
    assert {name for names in ledger.upstreams.values() for name in names} == {"one", "two"}
    assert max(times) < 2 * LIVE, times


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{ not json", "not JSON"),
        ('{"contractVersion": 99}', "contractVersion"),
        ('{"contractVersion": 1, "relay": {}}', "relay.namespace"),
    ],
)
async def test_a_bad_configuration_is_refused_the_last_good_one_runs_on_and_the_report_says_why(
    tmp_path: Path, free_port: int, bad: str, reason: str
) -> None:
    mounts = Mounts(tmp_path)
    async with ScriptedServer() as server:
        good = relay_document([upstream("up", server.port)], free_port)
        async with running_relay(tmp_path, good) as relay:
            digest = (await relay.get("/v1/report")).json()["digest"]
            mounts.config(bad)
            report = await relay.until("/v1/report", lambda one: one.get("refusedConfig"), 5)
            assert any(reason in one for one in report["refusedConfig"]["reasons"]), report["refusedConfig"]
            assert (report["digest"], report["accepting"]) == (digest, True)
            await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
            mounts.config(good | {"hostname": "other.example.com"})
            report = await relay.until("/v1/report", lambda one: one["digest"] != digest, 5)
            assert not report.get("refusedConfig")


async def test_a_port_that_cannot_be_bound_refuses_the_whole_configuration(tmp_path: Path, free_port: int) -> None:
    """Half of it would run under a digest that the operator takes for all of it."""
    mounts = Mounts(tmp_path)
    async with ScriptedServer() as server:
        good = relay_document([upstream("up", server.port)], free_port)
        listeners = [{"name": "smtp", "port": free_port}, {"name": "second", "port": server.port}]
        async with running_relay(tmp_path, good) as relay:
            before = (await relay.get("/v1/report")).json()["digest"]
            mounts.config(good | {"hostname": "new.example.com", "listeners": listeners})
            report = await relay.until("/v1/report", lambda one: one["refusedConfig"])
            assert "listeners[second].port" in report["refusedConfig"]["reasons"][0]
            assert report["digest"] == before
            assert [one["name"] for one in report["listeners"]] == ["smtp"]
            assert len(relay.events("config-applied")) == 1
            mounts.config(good | {"hostname": "new.example.com"})
            report = await relay.until("/v1/report", lambda one: one["digest"] != before)
            assert not report["refusedConfig"]


async def test_the_right_password_lets_held_mail_go_at_once_without_a_restart(tmp_path: Path, free_port: int) -> None:
    wrong = {"provider.up.username": "relay", "provider.up.password": "wrong"}
    mounts = Mounts(tmp_path, wrong)
    account = {"accounts": {"relay": "right"}}
    async with ScriptedServer(account) as server:
        document = relay_document([upstream("up", server.port, auth="Plain")], free_port)
        async with running_relay(tmp_path, document) as relay:
            for _ in range(20):
                await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one["queue"].get("held") == 20)
            assert len([one for one in server.commands if "AUTH" in one]) <= 5
            began = time.monotonic()
            mounts.secrets(wrong | {"provider.up.password": "right"})
            report = await relay.until("/v1/report", lambda one: one.get("delivered") == 20, 10)
            assert time.monotonic() - began < 2 * LIVE + 1
            assert report["upstreams"][0]["breaker"] == "Closed"
        assert len(server.accepted) == 20


@pytest.mark.parametrize("first", ["config", "secrets"])
async def test_configuration_and_secrets_of_one_revision_take_effect_together_whichever_comes_first(
    tmp_path: Path, free_port: int, first: str
) -> None:
    """The second revision moves to another account at another upstream; a mixture would be refused by either."""
    old = {"provider.up.username": "old", "provider.up.password": "old-password"}
    new = {"provider.up.username": "new", "provider.up.password": "new-password"}
    ledger, mounts = Ledger(), Mounts(tmp_path, old, "r1")
    async with two_upstreams(ledger) as (one, two):
        one.play({"accounts": {"old": "old-password"}})
        two.play({"accounts": {"new": "new-password"}})
        before = relay_document([upstream("up", one.port, auth="Plain")], free_port, secretRevision="r1")
        after = relay_document([upstream("up", two.port, auth="Plain")], free_port, secretRevision="r2")
        async with running_relay(tmp_path, before) as relay:
            clients = Clients(ledger, relay.smtp, sizes=(4096,))
            load = asyncio.create_task(clients.run(3))
            await asyncio.sleep(0.5)
            if first == "config":
                mounts.config(after)
                await relay.until("/v1/report", lambda one: one.get("awaitingSecretRevision") == "r2", 5)
            else:
                mounts.secrets(new, "r2")
                await asyncio.sleep(0.6)
            report = (await relay.get("/v1/report")).json()
            assert (report["secretRevision"], report["accepting"]) == ("r1", True)
            mounts.config(after)
            mounts.secrets(new, "r2")
            await relay.until("/v1/report", lambda one: one.get("secretRevision") == "r2", 5)
            clients.stop()
            await asyncio.wait_for(load, 20)
            await ledger.settled(20)
            assert relay.events("breaker-opened") == []
    assert (ledger.lost, ledger.doubled, ledger.refused, clients.disconnections) == ([], {}, {}, 0)


async def test_a_credential_that_was_mended_is_not_held_against_the_upstream_after_a_restart(
    tmp_path: Path, free_port: int
) -> None:
    """Without a revision of the secrets, as in a plain directory: what was remembered of the old one is over."""
    wrong = {"provider.up.username": "relay", "provider.up.password": "wrong"}
    mounts = Mounts(tmp_path, wrong)
    async with ScriptedServer({"accounts": {"relay": "right"}}) as server:
        document = relay_document([upstream("up", server.port, auth="Plain")], free_port)
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one["queue"].get("held") == 1)
            mounts.secrets(wrong | {"provider.up.password": "right"})
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
        async with running_relay(tmp_path, document) as relay:
            assert (await relay.get("/v1/report")).json()["upstreams"][0]["breaker"] == "Closed"
            await relay.submit(MAIL)
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)


async def test_a_port_that_is_taken_at_the_start_is_opened_once_it_is_free(tmp_path: Path, free_port: int) -> None:
    taken = socket.create_server(("127.0.0.1", free_port))
    asyncio.get_running_loop().call_later(3.0, taken.close)
    async with running_relay(tmp_path, relay_document([upstream("one", 1)], free_port)) as relay:
        assert relay.smtp == free_port
        assert len(relay.events("config-refused")) == 1
        assert (await relay.get("/v1/report")).json()["refusedConfig"] is None
