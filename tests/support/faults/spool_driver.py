"""A process that uses a spool as the relay does, for tests that starve, fail or kill it.

    python -m tests.support.faults.spool_driver DIRECTORY [--load] [--without database|body|directory] [--reserve N]

With `--load` it accepts messages as fast as it can and removes most of them again. It prints `+ID SHA256` after the
accept resolved and `-ID` before it asks for the removal. Without it, it obeys lines on standard input and answers
each with one line: `accept ID SIZE`, `remove ID`, `check`, `files N` (limit of open files), `counts`, `quit`.
"""

import argparse
import asyncio
import hashlib
import os
import random
import resource
import sys
from dataclasses import replace
from pathlib import Path

from mailhaul_relay.model.message import Envelope, Message, Origin, Progress, Recipient, State
from mailhaul_relay.ports.chance import message_id
from mailhaul_relay.ports.clock import wall_clock
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.spool.settings import Settings, Syncs
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.log import Log

HEAD = b"Subject: durable\r\n\r\n"
SIZES = (10, 3000, 40_000, 300_000)


def digest(head: bytes, body: bytes) -> str:
    """Give the ledger's fingerprint of a message."""
    return hashlib.sha256(head + body).hexdigest()


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--without", default="")
    parser.add_argument("--reserve", type=int, default=0)
    given = parser.parse_args()
    syncs = replace(Syncs(), **{given.without: False}) if given.without else Syncs()
    settings = Settings(body_in_file=65536, log_pages=60, reserve=given.reserve, syncs=syncs)
    asyncio.run(_run(given.directory, settings, load=given.load))


async def _run(directory: Path, settings: Settings, *, load: bool) -> None:
    spool = await SqliteSpool.open(directory, Log(), settings=settings)
    say("ready")
    try:
        if load:
            await asyncio.gather(*(_load(spool) for _ in range(8)))
        else:
            await _obey(spool)
    finally:
        await spool.close()


def say(line: str) -> None:
    """Write a line at once and whole: what stands in the pipe survives this process."""
    os.write(1, f"{line}\n".encode())


async def _load(spool: SqliteSpool) -> None:
    chance = random.Random(os.urandom(8))
    while True:
        body = chance.randbytes(chance.choice(SIZES))
        message = _message(message_id(wall_clock()), spool, body)
        await spool.accept(message)
        say(f"+{message.id} {digest(HEAD, body)}")
        if chance.random() < 0.3:
            await spool.update(message.with_progress({0: Progress(State.DEFERRED, due=1.0, text="later")}))
        if chance.random() < 0.8:
            say(f"-{message.id}")
            await spool.remove(message.id)


def _message(id: str, spool: SqliteSpool, data: bytes) -> Message:  # noqa: A002
    writer = spool.new_body()
    try:
        writer.write(data)
        body = writer.finish()
    except SpoolError:
        writer.discard()
        raise
    if body.path is None:
        writer.discard()
    envelope = Envelope(
        id=id,
        sender="app@example.org",
        recipients=(Recipient("bob@example.net", "bob@example.net"),),
        from_domain="example.org",
        origin=Origin.SUBMISSION,
        accepted=wall_clock(),
        size=len(HEAD) + len(data),
    )
    return Message(envelope, HEAD, body)


async def _obey(spool: SqliteSpool) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        words = line.split()
        if words[0] == "quit":
            return
        try:
            say(await _answer(spool, words) or "ok")
        except SpoolError as error:
            say(f"{'full' if error.full else 'error'} {error}")


async def _answer(spool: SqliteSpool, words: list[str]) -> str:
    match words:
        case ["accept", id, size]:
            await spool.accept(_message(id, spool, b"x" * int(size)))
        case ["remove", id]:
            await spool.remove(id)
        case ["check"]:
            await spool.check()
        case ["files", count]:
            resource.setrlimit(resource.RLIMIT_NOFILE, (int(count), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        case ["counts"]:
            return str(spool.counts().queued)
        case _:
            return "unknown command"
    return ""


if __name__ == "__main__":
    main()
