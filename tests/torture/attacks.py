"""Attacks on a server's memory and patience, as a program of its own so that honest clients measured beside it are not
slowed by it: `python -m tests.torture.attacks KIND --port PORT [--seconds 8] [--clients 20] [--source 127.0.0.9]`.

Kinds: `endless-line`, `endless-header`, `endless-body`, `recipients`, `deaf` (reads no replies), `slow` (octet by
octet), `connections` (as fast as they can), `half-messages`, `handshakes` (STARTTLS and then garbage), `passwords`
(AUTH PLAIN with wrong ones). It ends after the time, whatever the server does; it prints how often it began anew.
"""

import argparse
import asyncio
import base64
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

GREETED = b"EHLO x\r\nMAIL FROM:<app@example.com>\r\n"
TO_DATA = GREETED + b"RCPT TO:<joe@example.net>\r\nDATA\r\n"
KIB_64 = b"x" * 65_536
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pour(streams: Streams, opening: bytes, piece: bytes) -> None:
    reader, writer = streams
    eating = asyncio.create_task(_eat(reader))
    try:
        writer.write(opening)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        eating.cancel()


async def _eat(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(65_536):
            pass


async def endless_line(streams: Streams) -> None:
    await _pour(streams, b"", KIB_64)


async def endless_header(streams: Streams) -> None:
    await _pour(streams, TO_DATA + b"From: a@example.com\r\n", b"X-Filler: " + b"x" * 60 + b"\r\n y" * 800 + b"\r\n")


async def endless_body(streams: Streams) -> None:
    await _pour(streams, TO_DATA + b"From: a@example.com\r\n\r\n", KIB_64)


async def recipients(streams: Streams) -> None:
    await _pour(streams, GREETED, b"".join(b"RCPT TO:<user%d@example.net>\r\n" % number for number in range(500)))


async def deaf(streams: Streams) -> None:
    _, writer = streams
    while not writer.is_closing():
        writer.write(b"EHLO x\r\n" * 1000)
        await writer.drain()
        await asyncio.sleep(0)


async def slow(streams: Streams) -> None:
    _, writer = streams
    writer.write(
        random.choice([b"EHLO slow", TO_DATA + b"X: " + b"x" * 15_000, TO_DATA + b"From: a@b.example\r\n\r\n"])
    )
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.5)


async def connections(streams: Streams) -> None:
    await asyncio.sleep(0)


async def half_messages(streams: Streams) -> None:
    _, writer = streams
    writer.write(TO_DATA + b"From: a@example.com\r\n\r\n" + b"x" * 10_000)
    await writer.drain()


async def _ask_for_tls(streams: Streams) -> None:
    reader, writer = streams
    writer.write(b"EHLO x\r\nSTARTTLS\r\n")
    while not (line := await reader.readline()).startswith(b"220 2."):
        if not line:
            raise EOFError


async def handshakes(streams: Streams) -> None:
    reader, writer = streams
    await _ask_for_tls(streams)
    writer.write(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + KIB_64)
    await writer.drain()
    await reader.read()


async def passwords(streams: Streams) -> None:
    reader, writer = streams
    await _ask_for_tls(streams)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await writer.start_tls(context)
    writer.write(b"EHLO x\r\n")
    wrong = base64.b64encode(b"\0torture\0wrong" + random.randbytes(4).hex().encode())
    await _pour((reader, writer), b"", b"AUTH PLAIN " + wrong + b"\r\n")


KINDS: dict[str, Callable[[Streams], Awaitable[None]]] = {
    one.__name__.replace("_", "-"): one
    for one in (
        endless_line, endless_header, endless_body, recipients, deaf, slow, connections, half_messages, handshakes,
        passwords,
    )
}  # fmt: skip


async def attack(kind: str, port: int, seconds: float, clients: int, source: str) -> int:
    """Let so many clients attack at once, each beginning anew when the server ends it; gives how often they began."""
    begun = 0

    async def one() -> None:
        nonlocal begun
        while True:
            begun += 1
            with suppress(OSError, EOFError, ssl.SSLError):
                streams = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                try:
                    await KINDS[kind](streams)
                finally:
                    streams[1].transport.abort()
            await asyncio.sleep(0.002)

    tasks = [asyncio.create_task(one()) for _ in range(clients)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return begun


def main() -> None:
    """Read the arguments and attack."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.attacks")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--source", default="127.0.0.9")
    given = parser.parse_args()
    print(asyncio.run(attack(given.kind, given.port, given.seconds, given.clients, given.source)))


if __name__ == "__main__":
    main()
