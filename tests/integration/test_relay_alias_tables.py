"""A running relay and alias tables that arrive before, after and without their configuration."""

import json
import smtplib
from pathlib import Path

import pytest
from tests.support import relay_process
from tests.support.relay_process import RelayProcess, relay_document, running_relay

from mailhaul_contract.digest import digest
from mailhaul_contract.names import ALIAS_TABLE_FILES

pytestmark = pytest.mark.integration

CAPTURE = {"name": "catch", "provider": "inbox", "kind": "Capture"}


def _table(*names: str) -> bytes:
    return json.dumps(
        [{"namespace": "shop", "name": one, "value": f"{one}@own.example", "destinations": ["x@example.net"]}
         for one in names]
    ).encode()  # fmt: skip


def _knows(relay: RelayProcess, name: str) -> bool:
    with smtplib.SMTP("127.0.0.1", relay.smtp, timeout=10) as client:
        client.ehlo("x")
        client.mail("a@example.com")
        return client.rcpt(f"{name}@own.example")[0] == 250


async def test_a_table_is_awaited_while_the_last_good_configuration_runs_on(tmp_path: Path, free_port: int) -> None:
    def document(table: bytes) -> dict[str, object]:
        aliases = {"domains": ["own.example"], "tables": [digest(table)]}
        return relay_document([CAPTURE], free_port, aliases=aliases)

    file = tmp_path / ALIAS_TABLE_FILES[0]
    one, two = _table("one"), _table("two")
    file.write_bytes(one)
    async with running_relay(tmp_path, document(one)) as relay:
        before = (await relay.get("/v1/report")).json()["digest"]
        assert _knows(relay, "one")

        (tmp_path / "relay.v1.json").write_text(json.dumps(document(two)))
        report = await relay.until("/v1/report", lambda one: one["awaitingReason"])
        assert report["awaitingReason"] == "alias tables are not mounted yet: aliases.v1.0.json is another one"
        assert (report["digest"], report["accepting"], report["refusedConfig"]) == (before, True, None)
        assert _knows(relay, "one")
        assert not _knows(relay, "two")

        file.write_bytes(two)
        report = await relay.until("/v1/report", lambda one: one["digest"] != before)
        assert (report["awaitingReason"], report["digest"]) == (
            "",
            digest((tmp_path / "relay.v1.json").read_bytes()),
        )
        assert _knows(relay, "two")

        file.write_bytes(one)
        (tmp_path / "secrets" / "revision").write_text("r9")
        report = await relay.until("/v1/report", lambda one: one["secretRevision"] == "r9")
        assert report["awaitingReason"] == ""
        assert _knows(relay, "two")
        assert len(relay.events("config-awaits-tables")) == 1


async def test_a_relay_that_starts_before_its_tables_is_not_ready_and_says_why(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_process, "START_TIME", 3.0)
    table = _table("one")
    aliases = {"domains": ["own.example"], "tables": [digest(table)]}
    with pytest.raises(TimeoutError):
        async with running_relay(tmp_path, relay_document([CAPTURE], free_port, aliases=aliases)):
            pytest.fail("it became ready without its tables")
    events = [json.loads(line) for line in (tmp_path / "relay.log").read_text().splitlines()]
    (awaits,) = [one for one in events if one["event"] == "config-awaits-tables"]
    assert "aliases.v1.0.json cannot be read" in awaits["tables"][0]
