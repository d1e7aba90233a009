"""Own SMTP client beside aiosmtplib: the same transactions to the same sink, CPU of the sending process only.

    python -m bench.client_compare [--messages 2000] [--rounds 5]

Needs Debian's `smtp-sink` (package postfix). Each client keeps its connections open; the sink is a process of its own,
so what is measured is the client. Rounds are interleaved; the table has medians and is in
docs/design/0002-smtp-client.md. aiosmtplib is in the development environment for this file alone.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiosmtplib

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Verdict
from mailhaul_relay.model.transmission import Transmission
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.pool import SmtpTransport
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

SENDER, RECIPIENT = "app@example.com", "bob@example.net"
HEAD = b"From: app@example.com\r\nTo: bob@example.net\r\nSubject: bench\r\n\r\n"
Send = Callable[[], Awaitable[None]]


def body_of(size: int) -> bytes:
    """A body of about this size in lines of 76 characters."""
    return (b"x" * 76 + b"\r\n") * (size // 78)


@asynccontextmanager
async def own(port: int, size: int, sessions: int) -> AsyncIterator[list[Send]]:
    """Senders of our own transport; it pools the connections itself."""
    upstream = Upstream.model_validate({
        "name": "sink", "provider": "sink", "host": "127.0.0.1", "port": port, "tls": {"mode": "None"},
        "connections": {"max": sessions, "messagesPerConnection": 100_000},
    })  # fmt: skip
    transport = SmtpTransport(upstream, Logins(None), "bench.example.com", Tally(), Log())
    body = body_of(size)
    message = Transmission("id", SENDER, (RECIPIENT,), HEAD, Body(len(body), body), "example.com")

    async def send() -> None:
        delivery = await transport.deliver(message)
        assert delivery.outcomes[0].verdict is Verdict.DELIVERED, delivery

    yield [send] * sessions
    await transport.close()


@asynccontextmanager
async def aiosmtplib_commands(port: int, size: int, sessions: int) -> AsyncIterator[list[Send]]:
    """Senders that drive aiosmtplib's commands one after another, as its documentation of `SMTP` has them."""
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(sessions)]
    message = HEAD + body_of(size)
    for client in clients:
        await client.connect()
        await client.ehlo()

    def sender(client: aiosmtplib.SMTP) -> Send:
        async def send() -> None:
            await client.mail(SENDER)
            await client.rcpt(RECIPIENT)
            await client.data(message)

        return send

    yield [sender(client) for client in clients]
    for client in clients:
        await client.quit()


@asynccontextmanager
async def aiosmtplib_sendmail(port: int, size: int, sessions: int) -> AsyncIterator[list[Send]]:
    """Senders that call aiosmtplib's `sendmail`, the convenient way."""
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(sessions)]
    message = HEAD + body_of(size)
    for client in clients:
        await client.connect()

    def sender(client: aiosmtplib.SMTP) -> Send:
        async def send() -> None:
            await client.sendmail(SENDER, [RECIPIENT], message)

        return send

    yield [sender(client) for client in clients]
    for client in clients:
        await client.quit()


CLIENTS = {"own": own, "aiosmtplib commands": aiosmtplib_commands, "aiosmtplib sendmail": aiosmtplib_sendmail}
CASES = ((4096, 1), (4096, 20), (65536, 20), (1 << 20, 5))


async def measure(name: str, port: int, size: int, sessions: int, messages: int) -> tuple[float, float]:
    """CPU microseconds for one message, and messages a second."""
    async with CLIENTS[name](port, size, sessions) as senders:
        await asyncio.gather(*(send() for send in senders))
        each = messages // sessions

        async def run(send: Send) -> None:
            for _ in range(each):
                await send()

        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(run(send) for send in senders))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return cpu / (each * sessions) * 1e6, each * sessions / wall


def start_sink() -> tuple["subprocess.Popen[bytes]", int]:
    """Start smtp-sink on a free port of loopback."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if not program:
        raise SystemExit("client_compare: smtp-sink is not here; install Debian's postfix")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *user, f"127.0.0.1:{port}", "256"])
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)
    process.kill()
    raise SystemExit("client_compare: smtp-sink does not listen")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Own SMTP client beside aiosmtplib")
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    process, port = start_sink()
    try:
        print("| message | connections | client | CPU µs a message | messages/s |\n|---|---|---|---|---|")
        for size, sessions in CASES:
            messages = max(sessions * 4, min(options.messages, options.messages * 8192 // size))
            results: dict[str, list[tuple[float, float]]] = {name: [] for name in CLIENTS}
            for _ in range(options.rounds):
                for name, result in results.items():
                    result.append(asyncio.run(measure(name, port, size, sessions, messages)))
            for name, result in results.items():
                cpu, rate = (statistics.median(column) for column in zip(*result, strict=True))
                print(f"| {size // 1024} KiB | {sessions} | {name} | {cpu:.0f} | {rate:.0f} |", flush=True)
    finally:
        process.terminate()
        process.wait(5)


if __name__ == "__main__":
    main()
