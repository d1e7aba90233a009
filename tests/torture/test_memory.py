"""Under attack the relay's memory grows by less than 64 MiB, and honest clients are served meanwhile.

`tests/integration/test_listener_memory.py` measures the listener alone; here it is the whole relay, with its spool, an
upstream, TLS and hashed passwords, and attackers that go on for as long as the test wants, alone and all at once.
"""

import asyncio
import base64
import hashlib
import os
import smtplib
import ssl
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.torture.attacks import KINDS
from tests.torture.sink import Sink

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALLOWED_GROWTH = 64 * 1024
"""KiB. Half of it where no password is checked: one check of the hash here takes 32 MiB by itself."""
SERVED_WITHIN = 5.0
SECONDS = float(os.environ.get("MAILHAUL_ATTACK_SECONDS", "6"))
USER, PASSWORD = "torture", "correct horse"
HONEST, HOSTILE = "127.0.0.1", "127.0.0.9"
SALT = b"sixteen octets.."


def scrypt_line() -> str:
    """The account with a hash that takes 32 MiB to check."""
    digest = hashlib.scrypt(PASSWORD.encode(), salt=SALT, n=1 << 15, r=8, p=1, maxmem=1 << 27, dklen=32)
    parts = (base64.b64encode(one).decode().rstrip("=") for one in (SALT, digest))
    return f"{USER}:$scrypt$ln=15,r=8,p=1${'$'.join(parts)}\n"


@asynccontextmanager
async def relay_under_attack(folder: Path, port: int, sink: Sink, **limits: int) -> AsyncIterator[RelayProcess]:
    """A relay that trusts nobody but an honest client, and whoever logs in."""
    pair = Authority(folder).issue("relay", subject_alt_name="DNS:relay.example.com,IP:127.0.0.1")
    upstream = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": sink.port, "tls": {"mode": "None"}}
    changes: dict[str, Any] = {
        "listeners": [{"name": "smtp", "port": port, "tls": "StartTLS", "auth": "Optional"}],
        "clients": {"allowedNetworks": ["127.0.0.0/8"]},
        "limits": limits,
    }
    files = {
        "tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": pair.key.read_text(), "smtp.accounts": scrypt_line(),
    }  # fmt: skip
    async with running_relay(folder, relay_document([upstream], port, **changes), files) as relay:
        await asyncio.to_thread(send, relay.smtp, login=True)
        yield relay


def send(port: int, *, login: bool = False) -> float:
    """Send one mail as an honest client does; gives the seconds it took."""
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", port, timeout=30, source_address=(HONEST, 0)) as client:
        if login:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client.starttls(context=context)
            client.login(USER, PASSWORD)
        content = f"From: app@example.com\r\nSubject: honest\r\n\r\n{'text' * 500}\r\n"
        client.sendmail("app@example.com", ["joe@example.net"], content)
    return time.monotonic() - began


async def withstand(
    relay: RelayProcess, kinds: Sequence[str], clients: int, *, login: bool = False
) -> tuple[int, float]:
    """Let it be attacked; gives the growth in KiB, and the longest that an honest client waited."""
    before, growth, longest = relay.pss(), 0, 0.0
    attackers = [await _attacker(kind, relay.smtp, clients) for kind in kinds]
    try:
        while any(one.returncode is None for one in attackers):
            longest = max(longest, await asyncio.to_thread(send, relay.smtp, login=login))
            growth = max(growth, relay.pss() - before)
            await asyncio.sleep(0.05)
            attackers = [one for one in attackers if await _goes_on(one)]
    finally:
        for one in attackers:
            if one.returncode is None:
                one.kill()
                await one.wait()
    return growth, longest


async def _attacker(kind: str, port: int, clients: int) -> asyncio.subprocess.Process:
    options = ["--port", str(port), "--seconds", str(SECONDS), "--clients", str(clients), "--source", HOSTILE]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.torture.attacks", kind, *options, stdout=asyncio.subprocess.DEVNULL
    )


async def _goes_on(attacker: asyncio.subprocess.Process) -> bool:
    try:
        await asyncio.wait_for(attacker.wait(), 0.01)
    except TimeoutError:
        return True
    assert attacker.returncode == 0
    return False


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_one_attack(kind: str, tmp_path: Path, free_port: int) -> None:
    async with Sink() as sink, relay_under_attack(tmp_path, free_port, sink) as relay:
        growth, longest = await withstand(relay, [kind], 20, login=kind == "passwords")
        print(f"{kind}: grew by {growth} KiB, an honest client waited {longest:.2f} s")
        assert growth < (ALLOWED_GROWTH if kind == "passwords" else ALLOWED_GROWTH // 2)
        assert longest < SERVED_WITHIN
        assert relay.events("handler-error") == []


async def test_a_thousand_slow_clients_of_the_whole_relay(tmp_path: Path, free_port: int) -> None:
    limits = {"connections": 1200, "connectionsPerClient": 1100}
    async with Sink() as sink, relay_under_attack(tmp_path, free_port, sink, **limits) as relay:
        growth, longest = await withstand(relay, ["slow"], 1000)
        print(f"1000 slow clients: grew by {growth} KiB, an honest client waited {longest:.2f} s")
        assert growth < ALLOWED_GROWTH
        assert longest < SERVED_WITHIN


async def test_every_attack_at_once(tmp_path: Path, free_port: int) -> None:
    async with Sink() as sink, relay_under_attack(tmp_path, free_port, sink) as relay:
        growth, longest = await withstand(relay, sorted(KINDS), 5)
        print(f"all at once: grew by {growth} KiB, an honest client waited {longest:.2f} s")
        assert growth < ALLOWED_GROWTH
        assert longest < 2 * SERVED_WITHIN
        assert relay.events("handler-error") == []
