"""The relay's session with itself is trusted; nobody else is by being on the same machine at the same moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.test_listener_life import Client, certificate, client_of
from tests.support.listening import Bench, running_of

from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.trial_mail import TrialMail
from mailhaul_relay.smtpin import send_test as module
from mailhaul_relay.smtpin.listener import Listener
from mailhaul_relay.smtpin.send_test import send_test
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.transcript import Transcript

pytestmark = pytest.mark.integration

NOBODY: dict[str, Any] = {"clients": {"allowedNetworks": []}}
MAIL = TrialMail("app@example.com", ("joe@example.net",))
ENVELOPE = b"EHLO relay.example.com\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\n"
MESSAGE = b"From: app@example.com\r\n\r\nhi\r\n.\r\n"


@asynccontextmanager
async def own(listener: Listener, ids: list[str]) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(sock=listener.connect_own(ids.append))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_only_the_end_that_we_hold_is_trusted() -> None:
    bench = Bench(running_of(NOBODY))
    listener = await bench.listen()
    ids: list[str] = []
    async with own(listener, ids) as ours, client_of(listener.port) as before:
        ours.send(ENVELOPE + b"DATA\r\n")
        assert await ours.until(b"354")
        async with client_of(listener.port) as during:
            for stranger in (before, during):
                stranger.send(ENVELOPE)
                assert b"relaying denied for 127.0.0.1" in await stranger.until(b"550")
        ours.send(MESSAGE)
        assert ids[0].encode() in await ours.until(b"250")
        async with client_of(listener.port) as after:
            after.send(ENVELOPE)
            assert await after.until(b"550")
    (accepted,) = bench.accepted
    assert (accepted.id, ids) == (ids[0], [accepted.id])
    await listener.stop(1)


async def test_rules_of_the_listener_for_clients_are_not_for_the_relay_itself(tmp_path: Path) -> None:
    pair, _ = certificate(tmp_path / "relay", "relay")
    rules = {"tls": "Implicit", "auth": "Required", "proxies": ["10.0.0.1/32"], "allowedNetworks": []}
    running = running_of({"listeners": [{"name": "smtp", "port": 2525, **rules}]}, Secrets(certificates={"smtp": pair}))
    bench = Bench(running)
    listener = await bench.listen()
    async with own(listener, []) as ours:
        assert await ours.until(b"220")
        ours.send(ENVELOPE + b"DATA\r\n")
        assert await ours.until(b"354")
        ours.send(MESSAGE)
        assert await ours.until(b"250")
    assert len(bench.accepted) == 1
    await listener.stop(1)


async def test_a_reload_in_the_middle_changes_nothing_of_the_trust() -> None:
    bench = Bench(running_of(NOBODY))
    listener = await bench.listen()
    async with own(listener, []) as ours:
        assert await ours.until(b"220")
        bench.intake.current = running_of({"hostname": "other.example.com", **NOBODY})
        ours.send(ENVELOPE + b"DATA\r\n")
        assert await ours.until(b"354")
    await listener.stop(1)


async def test_the_limits_hold_for_a_test_too() -> None:
    bench = Bench(running_of({"limits": {"connections": 1}}))
    listener = await bench.listen()
    async with client_of(listener.port):
        transcript = Transcript(bench.clock)
        sent = await send_test(listener, bench.intake.current, MAIL, transcript, lambda _: None)
    assert (sent.id, sent.accepted) == ("", False)
    assert transcript.lines[0].text.startswith("421 4.7.0 Too many connections")
    await listener.stop(1)


async def test_the_mark_comes_before_the_queue_can_have_the_message() -> None:
    bench = Bench()
    listener = await bench.listen()
    seen: list[int] = []
    sent = await send_test(
        listener, bench.intake.current, MAIL, Transcript(bench.clock), lambda _: seen.append(len(bench.accepted))
    )
    assert sent.accepted
    assert (seen, len(bench.accepted)) == ([0], 1)
    await listener.stop(1)


async def test_a_store_that_cannot_write_is_told_as_any_client_hears_it() -> None:
    bench = Bench()
    bench.spool.fault = SpoolError("no space left", full=True)
    listener = await bench.listen()
    transcript = Transcript(bench.clock)
    sent = await send_test(listener, bench.intake.current, MAIL, transcript, lambda _: None)
    assert not sent.accepted
    assert any(one.text.startswith("452 4.3.1 ") for one in transcript.lines)
    await listener.stop(1)


async def test_silence_ends_a_test_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 0.2)
    bench = Bench()
    bench.spool.gate.clear()
    listener = await bench.listen()
    transcript = Transcript(bench.clock)
    sent = await send_test(listener, bench.intake.current, MAIL, transcript, lambda _: None)
    assert (bool(sent.id), sent.accepted) == (True, False)
    assert "no answer within" in transcript.lines[-1].text
    bench.spool.gate.set()
    await listener.stop(1)
