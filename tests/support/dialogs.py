"""SMTP conversations as text files: read, played against a real listener, or cut into chunks for a session.

A file begins with comments that name the clause or the trap it is about. Then one step a line:

    from: 127.0.0.9             the client's address (default 127.0.0.1); its folder's relay.json says who is trusted
    c: EHLO client              the client says this and CRLF
    c(raw): a\\r\\n\\x00\\\\        the client says exactly this; escapes are \\r \\n \\t \\\\ \\xNN
    c(raw*3000): x              the same, 3000 times
    s: 250-*                    the server says one line; * is anything
    tls                         the client begins TLS; steps after it are encrypted
    accounts: none              the SMTP accounts (the folder's file `accounts`) are taken away
    end                         the client sends no more (half-close)
    closed                      the server closes
    spool: full | error | broken | ok
    queue: full | open
    accepted: 1                 messages accepted in all
    sender: / recipients: / size: / eight-bit: / utf8: / client: / account:    of the last accepted message
    head: text                  its head has this line
    no-head: text               its head does not have this text
    body: a\\r\\n                 its body, as it lies in the spool
    refused: 550 5.7.1          this refusal was counted
    refused-connection: reason  a connection was refused for this reason
    login: accepted             a login went so
    log: / no-log: text         the log has, or has not, this text
"""

import asyncio
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.listening import Bench

from mailhaul_relay.model.message import Message
from mailhaul_relay.spool.interface import SpoolError

WAIT = 10.0
"""Seconds for a reply; loopback needs milliseconds."""


@dataclass(frozen=True)
class Step:
    """One line: what to do, with what, and where it stands."""

    word: str
    value: str
    line: int

    @property
    def octets(self) -> bytes:
        """What the client sends in this step."""
        if self.word == "c":
            return unescaped(self.value) + b"\r\n" if "\\" in self.value else self.value.encode() + b"\r\n"
        times = re.fullmatch(r"c\(raw(?:\*(\d+))?\)", self.word)
        assert times, self.word
        return unescaped(self.value) * int(times[1] or 1)


def read(path: Path) -> tuple[str, list[Step]]:
    """Give a file's comment and its steps."""
    comment, steps = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif line.strip():
            word, _, value = line.partition(":")
            steps.append(Step(word.strip(), value.removeprefix(" "), number))
    return " ".join(comment), steps


def unescaped(text: str) -> bytes:
    """Give the octets of a text with escapes."""
    named = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}

    def parts() -> Iterator[bytes]:
        at = 0
        while at < len(text):
            if text[at] != "\\":
                yield text[at].encode()
                at += 1
            elif text[at + 1] == "x":
                yield bytes([int(text[at + 2 : at + 4], 16)])
                at += 4
            else:
                yield named[text[at + 1]]
                at += 2

    return b"".join(parts())


def matches(pattern: str, line: str) -> bool:
    """Tell whether a line is as the pattern says, `*` being anything."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), line) is not None


def said_by_client(steps: list[Step]) -> bytes:
    """Give everything that the client says, in order."""
    return b"".join(step.octets for step in steps if step.word[:2] in {"c", "c("})


class Player:
    """Plays the steps of one file against a listener."""

    def __init__(self, bench: Bench, port: int, trust: ssl.SSLContext | None) -> None:
        self._bench = bench
        self._port = port
        self._trust = trust
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def play(self, steps: list[Step]) -> None:
        """Do every step; AssertionError names the line that went otherwise."""
        source = next((step.value for step in steps if step.word == "from"), "127.0.0.1")
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(source, 0))
        try:
            for step in steps:
                await self._step(step)
        finally:
            self._writer.close()

    async def _step(self, step: Step) -> None:
        assert self._reader is not None
        assert self._writer is not None
        match step.word:
            case "from":
                pass
            case "s":
                await self._expect(step)
            case "tls":
                await asyncio.wait_for(self._writer.start_tls(_required(self._trust)), WAIT)
            case "end":
                self._writer.write_eof()
            case "closed":
                rest = await self._read_to_end()
                assert not rest, f"line {step.line}: the server went on with {rest!r}"
            case "spool" | "queue":
                self._set(step)
            case "accounts":
                self._bench.take_accounts_away()
            case word if word[:2] in {"c", "c("}:
                self._writer.write(step.octets)
            case _:
                check(step, self._bench)

    async def _expect(self, step: Step) -> None:
        assert self._reader is not None
        try:
            octets = await asyncio.wait_for(self._reader.readline(), WAIT)
        except (TimeoutError, ConnectionError) as error:
            octets = f"({type(error).__name__})".encode()
        said = octets.decode("utf-8", "replace").removesuffix("\r\n")
        assert octets.endswith(b"\r\n"), f"line {step.line}: expected {step.value!r}, the server said {said!r}"
        assert matches(step.value, said), f"line {step.line}: expected {step.value!r}, the server said {said!r}"

    async def _read_to_end(self) -> bytes:
        assert self._reader is not None
        try:
            return await asyncio.wait_for(self._reader.read(), WAIT)
        except ConnectionError:
            return b""

    def _set(self, step: Step) -> None:
        spool = self._bench.spool
        match step.value:
            case "full" if step.word == "queue":
                self._bench.intake.full = True
            case "open":
                self._bench.intake.full = False
            case "full":
                spool.fault = SpoolError("no space left on device /var/spool", full=True)
            case "error":
                spool.fault = SpoolError("fsync failed on /var/spool")
            case "broken":
                spool.broken = RuntimeError("secret of the inside")
            case "ok":
                spool.fault = spool.broken = None
            case other:
                raise AssertionError(f"line {step.line}: unknown {step.word} {other}")


def _required(context: ssl.SSLContext | None) -> ssl.SSLContext:
    assert context is not None, "this folder has no TLS: its relay.json names no listener with StartTLS"
    return context


def check(step: Step, bench: Bench) -> None:
    """Compare what was accepted and counted with what the step says."""
    if step.word == "accepted":
        assert len(bench.accepted) == int(step.value), f"line {step.line}: accepted {len(bench.accepted)} messages"
        assert bench.spool.open_bodies == 0, f"line {step.line}: a body was not given back"
    elif step.word in {"refused", "refused-connection", "login"}:
        tally = bench.tally
        counted = {"refused": tally.refused, "refused-connection": tally.sessions_refused, "login": tally.logins}
        assert counted[step.word][step.value], f"line {step.line}: counted only {dict(counted[step.word])}"
    elif step.word in {"log", "no-log"}:
        found = any(step.value in line for line in bench.lines)
        assert found == (step.word == "log"), f"line {step.line}: the log is {bench.lines}"
    else:
        _check_message(step, bench.accepted[-1])


def _check_message(step: Step, message: Message) -> None:
    envelope, head = message.envelope, message.head.decode("utf-8", "surrogateescape")
    found = {
        "sender": envelope.sender,
        "recipients": ", ".join(one.final for one in envelope.recipients),
        "size": str(envelope.size),
        "eight-bit": str(envelope.eight_bit).lower(),
        "utf8": str(envelope.utf8).lower(),
        "client": envelope.client,
        "account": envelope.account,
        "body": message.body.data,
    }
    match step.word:
        case "head":
            assert any(matches(step.value, line) for line in head.split("\r\n")), f"line {step.line}: head is {head!r}"
        case "no-head":
            assert step.value not in head, f"line {step.line}: head is {head!r}"
        case "body":
            assert found["body"] == unescaped(step.value), f"line {step.line}: body is {found['body']!r}"
        case word:
            assert word in found, f"line {step.line}: unknown word {word!r}"
            assert found[word] == step.value, f"line {step.line}: {word} is {found[word]!r}"
