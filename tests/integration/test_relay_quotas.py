"""Quotas of a real relay: not one message too many, over a kill and a restart, and a word of the provider's own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration
CONTENT = "From: app@example.com\nSubject: one\n\ntext\n"


def _document(server: ScriptedServer, port: int, *quotas: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    one = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
    return relay_document([one | {"quotas": list(quotas)} | changes], port)


def _quota(report: dict[str, Any]) -> dict[str, Any]:
    (found,) = report["upstreams"][0]["quotas"]
    return dict(found)


async def _held(relay: RelayProcess, messages: int) -> dict[str, Any]:
    report = await relay.until("/v1/report", lambda one: one["queue"]["held"] == messages)
    return dict(report)


async def test_a_limit_holds_over_a_kill_and_a_restart(tmp_path: Path, free_port: int) -> None:
    quota = {"period": "Month", "limit": 3, "counts": "Recipients"}
    async with ScriptedServer() as server:
        document = _document(server, free_port, quota)
        async with running_relay(tmp_path, document) as relay:
            for _ in range(5):
                await relay.submit(CONTENT)
            report = await _held(relay, 2)
            assert (_quota(report)["used"], _quota(report)["limit"]) == (3, 3)
            assert (report["upstreams"][0]["breaker"], report["upstreams"][0]["breakerFault"]) == ("Open", "quota")
            assert report["upstreams"][0]["nextAttempt"] == _quota(report)["reset"]
            await asyncio.sleep(2.5)  # a ledger is stored within a second
            await relay.kill()
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(CONTENT)
            report = await _held(relay, 3)
            assert _quota(report)["used"] == 3
            metrics = (await relay.get("/metrics")).body.decode()
            assert 'mailhaul_quota_used{period="Month",upstream="up"} 3.0' in metrics
        assert len(server.accepted) == 3


async def test_a_raised_limit_lets_held_mail_go_at_once(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer() as server:
        async with running_relay(tmp_path, _document(server, free_port, {"period": "Day", "limit": 1})) as relay:
            await relay.submit(CONTENT)
            await relay.submit(CONTENT)
            await _held(relay, 1)
        async with running_relay(tmp_path, _document(server, free_port, {"period": "Day", "limit": 9})) as relay:
            await relay.until("/v1/report", lambda one: _quota(one)["used"] == 2)
        assert len(server.accepted) == 2


async def test_the_provider_s_own_word_shows_the_quota_as_full_and_bounces_nothing(
    tmp_path: Path, free_port: int
) -> None:
    full = {"steps": {"mail": "550 5.4.5 Daily sending quota exceeded"}}
    async with ScriptedServer(full) as server:
        quota = {"period": "Day", "limit": 100}
        async with running_relay(tmp_path, _document(server, free_port, quota)) as relay:
            await relay.submit(CONTENT)
            report = await _held(relay, 1)
            assert (_quota(report)["used"], _quota(report)["told"]) == (100, True)
            assert report["queue"]["dead"] == 0


async def test_a_provider_that_allows_fewer_connections_gets_fewer(tmp_path: Path, free_port: int) -> None:
    busy = {"steps": {"mail": {"reply": "421 4.7.0 too many concurrent connections", "times": 2}}}
    async with ScriptedServer(busy) as server:
        document = _document(server, free_port, connections={"max": 8})
        document["queue"] = {"retry": {"initial": 1, "max": 1}}
        async with running_relay(tmp_path, document) as relay:
            await relay.submit(CONTENT)
            report = await relay.until("/v1/report", lambda one: one["upstreams"][0]["pace"] < 1)
            assert report["upstreams"][0]["breaker"] == "Closed"
            await relay.until("/v1/report", lambda one: one["upstreams"][0]["delivered"] == 1)
        assert relay.events("pace-lowered")
