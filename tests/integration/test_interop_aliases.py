"""Aliases and forwarding through the real relay: each kind of pattern and provider, SRS there and back, no loops."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.exact_bodies import unstuffed
from tests.support.programs import need
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import Received, ScriptedServer

from mailhaul_relay.policy.guards import MAX_HOPS

pytestmark = pytest.mark.integration

SECRET = "an interoperable secret"
STRANGERS: dict[str, Any] = {"clients": {"allowedNetworks": []}}
"""Nobody is trusted: loopback is a stranger too, whose mail is forwarded."""


def alias(kind: str, value: str, *destinations: str) -> dict[str, Any]:
    name = value.partition("@")[0].strip("*-") or "all"
    return {"namespace": "shop", "name": name, "type": kind, "value": value, "destinations": list(destinations)}


ENTRIES = [
    alias("Exact", "sales@own.example", "ann@far.example", "bob@far.example"),
    alias("SubAddress", "team@own.example", "team@far.example"),
    alias("Wildcard", "order-*@own.example", "orders@far.example"),
    alias("CatchAll", "*@own.example", "rest@far.example"),
    alias("Exact", "chain@own.example", "sales@own.example", "ann@far.example"),
]


@asynccontextmanager
async def relay_with(
    directory: Path,
    port: int,
    server: ScriptedServer,
    **upstream: Any,  # noqa: ANN401 - JSON
) -> AsyncIterator[RelayProcess]:
    out = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
    aliases = {"domains": ["own.example", "srs.example"], "entries": ENTRIES, "srs": {"domain": "own.example"}}
    document = relay_document([out | upstream], port, aliases=aliases, **STRANGERS)
    async with running_relay(directory, document, {"srs.secret": SECRET}) as relay:
        yield relay


def _send(port: int, sender: str, recipient: str, extra: str = "") -> tuple[int, bytes]:
    """A stranger's mail; gives the reply that decided."""
    head = f"From: Zoe <zoe@else.example>\r\nTo: {recipient}\r\nSubject: hello\r\n{extra}\r\n"
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.helo()
        client.mail(sender)
        code, text = client.rcpt(recipient)
        return client.data(head + "text\r\n.\r\n  \r\n") if code == 250 else (code, text)


async def _sent(relay: RelayProcess, server: ScriptedServer, recipient: str) -> list[Received]:
    """Send one mail and give what the upstream got."""
    before = len(server.accepted)
    assert (await asyncio.to_thread(_send, relay.smtp, "zoe@else.example", recipient))[0] == 250
    await relay.until("/v1/report", lambda one: one["queue"].get("queued", 0) == 0 and one.get("delivered"))
    async with asyncio.timeout(10):
        while len(server.accepted) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return server.accepted[before:]


@pytest.mark.parametrize(
    ("recipient", "finals"),
    [
        ("sales@own.example", {"ann@far.example", "bob@far.example"}),
        ("SALES@own.example", {"ann@far.example", "bob@far.example"}),
        ("team+urgent@own.example", {"team@far.example"}),
        ("order-4711@own.example", {"orders@far.example"}),
        ("whoever@own.example", {"rest@far.example"}),
        ("chain@own.example", {"ann@far.example", "bob@far.example"}),
    ],
)
async def test_each_pattern_leads_to_its_destinations_and_each_gets_it_once(
    tmp_path: Path, free_port: int, recipient: str, finals: set[str]
) -> None:
    async with ScriptedServer() as server, relay_with(tmp_path, free_port, server) as relay:
        got = await _sent(relay, server, recipient)
        await relay.until("/v1/report", lambda one: one["delivered"] == len(finals))
        arrived = [address for one in got for address in one.recipients]
        assert (sorted(arrived), len(arrived)) == (sorted(finals), len(finals))
        assert all(one.data.startswith(f"Delivered-To: {recipient}".encode()) for one in got)


KEEPS = {"foreignFrom": "Keep", "envelopeSender": "Keep"}


@pytest.mark.parametrize(
    ("upstream", "sender", "from_field"),
    [
        ({"behavior": KEEPS}, "SRS0=", "Zoe <zoe@else.example>"),
        ({"behavior": {"foreignFrom": "Replace"}}, "SRS0=", "Zoe via sales <sales@own.example>"),
        (
            {"behavior": {"foreignFrom": "Refuse", "envelopeSender": "Replace"}},
            "sales@",
            "Zoe via sales <sales@own.example>",
        ),
        (
            {"behavior": KEEPS, "senders": {"domains": ["mine.example"], "rewriteFrom": "no-reply@mine.example"}},
            "no-reply@mine.example",
            "Zoe via sales <no-reply@mine.example>",
        ),
    ],
    ids=["keeps-all", "replaces-from", "refuses-from-replaces-envelope", "only-its-own-domain"],
)
async def test_a_forward_leaves_as_the_provider_takes_it(
    tmp_path: Path, free_port: int, upstream: dict[str, Any], sender: str, from_field: str
) -> None:
    async with ScriptedServer() as server, relay_with(tmp_path, free_port, server, **upstream) as relay:
        (one,) = await _sent(relay, server, "sales@own.example")
        head, _, body = unstuffed(one.data).decode().partition("\r\n\r\n")
        fields = [line for line in head.split("\r\n") if line.startswith(("From:", "Reply-To:"))]
        assert one.sender.startswith(sender), one.sender
        assert fields[0] == f"From: {from_field}"
        assert ("Reply-To: Zoe <zoe@else.example>" in fields) == (fields[0] != "From: Zoe <zoe@else.example>")
        assert body == "text\r\n.\r\n  \r\n"


async def test_a_bounce_of_a_forward_comes_back_by_srs_to_its_author(tmp_path: Path, free_port: int) -> None:
    async with ScriptedServer() as server, relay_with(tmp_path, free_port, server) as relay:
        (forward,) = await _sent(relay, server, "team@own.example")
        srs = await asyncio.create_subprocess_exec(
            str(need("srs")), f"--secret={SECRET}", "--reverse", forward.sender, stdout=asyncio.subprocess.PIPE
        )
        reversed_by_srs, _ = await asyncio.wait_for(srs.communicate(), 20)
        assert reversed_by_srs.decode().strip() == "zoe@else.example"
        before = len(server.accepted)
        assert (await asyncio.to_thread(_send, relay.smtp, "", forward.sender))[0] == 250
        await relay.until("/v1/report", lambda one: one["delivered"] == 2)
        bounce = server.accepted[before]
        assert (bounce.sender, bounce.recipients) == ("", ("zoe@else.example",))


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        ("SRS0=AAAA=AA=else.example=zoe@srs.example", 550),
        ("b@elsewhere.example", 550),
        ("nobody@relay.example.com", 550),
    ],
    ids=["forged-srs", "relaying", "the-host-itself"],
)
async def test_a_stranger_is_refused_what_leads_nowhere(
    tmp_path: Path, free_port: int, recipient: str, code: int
) -> None:
    async with ScriptedServer() as server, relay_with(tmp_path, free_port, server) as relay:
        assert (await asyncio.to_thread(_send, relay.smtp, "zoe@else.example", recipient))[0] == code
        assert server.messages == []


async def test_a_loop_is_stopped_by_own_delivered_to_and_by_hops(tmp_path: Path, free_port: int) -> None:
    """The upstream hands everything back to the relay; it ends after one turn."""
    hops = "".join(f"Received: from a by b{n}; Sat, 21 Nov 2026 10:00:00 +0000\r\n" for n in range(MAX_HOPS + 1))
    async with ScriptedServer() as server, relay_with(tmp_path, free_port, server) as relay:
        (forward,) = await _sent(relay, server, "team@own.example")
        extra = forward.data.partition(b"\r\n")[0].decode() + "\r\n"
        for given in (extra, hops):
            code, text = await asyncio.to_thread(_send, relay.smtp, "zoe@else.example", "team@own.example", given)
            assert (code, text[:5]) == (554, b"5.4.6")
        assert len(server.accepted) == 1
