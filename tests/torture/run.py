"""A whole run: looks at what the server offers, plays every case that applies, waits for the sink, and judges.

`python -m tests.torture` and `test_torture.py` call it. Cases run side by side, each on connections of its own.
"""

import asyncio
import secrets
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from tests.torture.cases import Case
from tests.torture.client import Client
from tests.torture.judge import DEVIATION, FAIL, SKIPPED, Verdict, is_settled, judge
from tests.torture.play import Played, Target, play
from tests.torture.sink import Sink

AT_ONCE = 12
ARRIVAL = 20.0
"""Seconds for what was promised to arrive, after the last case."""
SETTLE = 0.5
"""Seconds that the sink is listened to for what should not come."""


async def run(cases: Sequence[Case], target: Target, sink: Sink | None) -> list[Verdict]:
    """Give a verdict for each case, in order. Raises Complaint when the server cannot even be greeted."""
    target = await look(target)
    given = {"SINK": sink is not None, "LOGIN": target.user, "CLEAR": not target.tls}
    known = target.offers | {name for name, value in given.items() if value}
    gate = asyncio.Semaphore(AT_ONCE)
    mark = f"tk{secrets.token_hex(4)}n"

    async def one(number: int, case: Case) -> Played | None:
        if _obstacle(case, known):
            return None
        async with gate:
            return await play(case, target, f"{mark}{number}z")

    played = await asyncio.gather(*(one(number, case) for number, case in enumerate(cases)))
    if sink is not None:
        await _settle([each for each in played if each], sink)
    return [_verdict(case, each, sink, known) for case, each in zip(cases, played, strict=True)]


def _verdict(case: Case, played: Played | None, sink: Sink | None, known: frozenset[str]) -> Verdict:
    if played is None:
        return Verdict(case.name, case.rule, case.level, SKIPPED, _obstacle(case, known))
    return judge(played, sink)


def _obstacle(case: Case, known: frozenset[str]) -> str:
    """Say why a case does not apply; "" when it does."""
    if missing := case.needs - known:
        return f"not offered: {' '.join(sorted(missing))}"
    if present := case.unless & known:
        return f"offered: {' '.join(sorted(present))}"
    return ""


async def _settle(played: Iterable[Played], sink: Sink) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(ARRIVAL):
            while not all(is_settled(each, sink) for each in played):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE)


async def look(target: Target) -> Target:
    """Ask for the EHLO keywords, in the clear and after STARTTLS: `KEYWORD`, `KEYWORD=VALUE`, `TLS:KEYWORD`."""
    client = await Client.connect(target.host, target.port, tls=target.tls)
    try:
        await client.reply()
        clear = await _keywords(client)
        under_tls = frozenset[str]()
        if "STARTTLS" in clear:
            await client.send(b"STARTTLS\r\n")
            await client.reply()
            await client.start_tls()
            under_tls = frozenset(f"TLS:{one}" for one in await _keywords(client))
    finally:
        await client.close()
    size = next((one.removeprefix("SIZE=") for one in clear if one.startswith("SIZE=")), "0")
    return replace(target, offers=clear | under_tls, size=int(size))


async def _keywords(client: Client) -> frozenset[str]:
    await client.send(b"EHLO look.example\r\n")
    lines = [line[4:].split() for line in (await client.reply()).split("\n")[1:] if line[4:].strip()]
    names = {words[0].upper() for words in lines}
    return frozenset(names | {f"{words[0].upper()}={word.upper()}" for words in lines for word in words[1:]})


def excused(verdicts: Iterable[Verdict], file: Path) -> list[Verdict]:
    """Mark the failures that a file of known deviations names, with its reason."""
    known = tomllib.loads(file.read_text(encoding="utf-8"))["deviation"]
    return [_excused(one, known) for one in verdicts]


def _excused(verdict: Verdict, known: Sequence[dict[str, str]]) -> Verdict:
    reason = next((one["reason"] for one in known if fnmatchcase(verdict.name, one["case"])), "")
    return replace(verdict, result=DEVIATION, reason=reason) if reason and verdict.result == FAIL else verdict
