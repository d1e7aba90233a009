"""Never an open relay: listener, source and configuration against the codes in `relaying_matrix.txt`."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.listening import Bench, Wire, running_of

from mailhaul_contract.config import RelayConfig
from mailhaul_relay.app.placeholder import nothing_yet
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.smtpin.listener import normal_client
from mailhaul_relay.smtpin.reception import Reception
from mailhaul_relay.smtpin.session import Session

TABLE = Path(__file__).parent / "relaying_matrix.txt"
ROWS = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
SOURCES = {
    "pod": "10.244.1.7",
    "node": "10.0.0.5",
    "pod-node": "10.244.9.9",
    "loopback": "127.0.0.1",
    "mesh": "127.0.0.6",
    "public": "203.0.113.9",
    "pod6": "fd00:10:244::7",
    "public6": "2001:db8::9",
    "mapped": "::ffff:10.244.1.7",
    "mapped-public": "::ffff:203.0.113.9",
    "link": "fe80::1%eth0",
}
NODES = frozenset({"10.0.0.5", "10.244.9.9"})
RECIPIENTS = ("victim@example.net", "info@example.org", "nobody@example.org", "@example.org:victim@example.net")
LISTENERS = [{"name": "smtp", "port": 2525}, {"name": "submission", "port": 2587, "lineEndings": "Normalise"}]
ALIASES: dict[str, Any] = {
    "domains": ["example.org"],
    "entries": [{"namespace": "a", "name": "info", "value": "info@example.org", "destinations": ["joe@example.com"]}],
}


def running(configuration: str) -> Running:
    if configuration == "invalid":
        return nothing_yet()
    if configuration == "empty":
        config = RelayConfig.from_json(
            {
                "contractVersion": 1,
                "relay": {"namespace": "smtp", "name": "relay"},
                "hostname": "relay.example.com",
                "listeners": LISTENERS,
            }
        )
        compiled = compile_running(config, Secrets(), "")
        assert isinstance(compiled, Running)
        return compiled
    wide = ["0.0.0.0/0", "::/0"]
    networks = wide if configuration == "wide" else ["10.244.0.0/16", "127.0.0.0/8", "fd00:10:244::/56"]
    return running_of({"listeners": LISTENERS, "clients": {"allowedNetworks": networks}, "aliases": ALIASES})


@pytest.mark.parametrize("row", ROWS, ids=["-".join(row[:3]) for row in ROWS])
async def test_the_code_is_as_the_table_says(row: list[str]) -> None:
    name, source, configuration, *expected = row
    bench = Bench(running(configuration))
    bench.nodes = NODES
    specs = bench.intake.current.config.listeners
    spec = next((one for one in specs if one.name == name), specs[0])
    client = normal_client(SOURCES[source])
    assert not bench.gate.enter(client, bench.intake.current.config.limits)
    reception = Reception(spec, bench.services, asyncio.get_running_loop())
    session = Session(reception, client)
    reception.enter(session)
    wire = Wire(session)
    wire.send(b"EHLO x\r\nMAIL FROM:<someone@example.com>\r\n")
    found = [wire.send(f"RCPT TO:<{address}>\r\n".encode())[:3].decode() for address in RECIPIENTS]
    wire.close()
    assert found == expected


def test_an_invalid_configuration_does_not_compile() -> None:
    config = RelayConfig.from_json(
        {
            "contractVersion": 1,
            "relay": {"namespace": "smtp", "name": "relay"},
            "hostname": "relay.example.com",
            "listeners": [{"name": "smtp", "port": 2525, "tls": "StartTLS"}],
            "clients": {"allowedNetworks": ["0.0.0.0/0"]},
        }
    )
    assert not isinstance(compile_running(config, Secrets(), ""), Running)


def test_every_source_and_configuration_is_in_the_table() -> None:
    assert {row[1] for row in ROWS} == set(SOURCES)
    cells = {tuple(row[:3]) for row in ROWS}
    for listener in ("smtp", "submission"):
        for source in ("pod", "node", "loopback", "mesh", "public", "pod6"):
            for configuration in ("full", "empty", "invalid"):
                assert (listener, source, configuration) in cells
