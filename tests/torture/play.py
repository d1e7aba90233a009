"""Plays one case against a server and says how it went; what the sink must have is left for `judge`.

Placeholders of a talk: `$from` and `$to` (envelope addresses), `$domain`, `$token` (of this verdict alone), `$each`
(the variant), `$head` (a header), `$size` (what EHLO offered), `$over` (one octet more), `$lines` (lines of 100 octets
that fit), `$user`, `$password` and `$login` (base64 for AUTH), `$$` for a dollar.
"""

import asyncio
import base64
from dataclasses import dataclass, field
from string import Template

from tests.torture.cases import Case
from tests.torture.client import Client, Complaint
from tests.torture.steps import END_OF_DATA, GONE, Step, Wanted, octets, unstuffed

SENDER = "app@example.com"
DOMAIN = "example.net"
LIMIT = 60.0
"""Seconds for one case."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server: where it is, what it offers, whom it takes mail from and for, and an account there."""

    host: str
    port: int
    sender: str = SENDER
    domain: str = DOMAIN
    user: str = ""
    password: str = field(default="", repr=False)
    offers: frozenset[str] = frozenset()
    size: int = 0
    tls: bool = False
    """Whether TLS begins with the first octet."""


@dataclass
class Played:
    """How a case went. `complaint` is "" when nothing was wrong so far; `promised` counts 2xx to a final dot."""

    case: Case
    token: str
    complaint: str = ""
    promised: int = 0
    dots: int = 0
    contents: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


async def play(case: Case, target: Target, token: str) -> Played:
    """Do every step; never raises for what the server does."""
    played = Played(case, token)
    client: Client | None = None
    try:
        async with asyncio.timeout(LIMIT):
            client = await Client.connect(target.host, target.port, tls=target.tls)
            player = _Player(client, played, _values(case, target, token))
            for step in case.talk:
                await player.do(step)
    except Over:
        pass
    except Complaint as error:
        played.complaint = str(error)
    except TimeoutError:
        played.complaint = f"not over after {LIMIT:.0f} s"
    finally:
        if client is not None:
            played.said = client.said
            if client.faults and not played.complaint:
                played.complaint = client.faults[0]
            await client.close()
    return played


def _values(case: Case, target: Target, token: str) -> dict[str, str]:
    """What the placeholders stand for; `$each` may hold placeholders itself."""
    values = {
        "from": target.sender,
        "to": f"t-{token}@{target.domain}",
        "token": token,
        "size": str(target.size),
        "over": str(target.size + 1),
        "lines": str((target.size - 2000) // 100),
        "head": f"From: <{target.sender}>\\r\\nSubject: {token}\\r\\n\\r\\n",
        "domain": target.domain,
        "user": base64.b64encode(target.user.encode()).decode(),
        "password": base64.b64encode(target.password.encode()).decode(),
        "login": base64.b64encode(f"\0{target.user}\0{target.password}".encode()).decode(),
    }
    return {**values, "each": Template(case.each).safe_substitute(values)}


class Over(Exception):  # noqa: N818 - a good end
    """The server closed where it may."""


class _Player:
    """Does steps on a connection. Raises Complaint at the first that goes otherwise."""

    def __init__(self, client: Client, played: Played, values: dict[str, str]) -> None:
        self._client, self._played, self._values = client, played, values

    async def do(self, step: Step) -> None:
        value = Template(step.value).safe_substitute(self._values)
        match step.word:
            case "s" | "end":
                for _ in range(step.times):
                    await self._expect(value, is_end=step.word == "end")
            case "tls" | "tls?":
                if step.word == "tls" or self._client.said[-1].startswith("220"):
                    await self._client.start_tls()
            case "half":
                self._client.half_close()
            case "quiet":
                await self._client.silence(float(value))
            case "closed":
                await self._expect_close()
            case "gone":
                await self._client.gone()
            case "replies":
                await self._expect_few(int(value))
            case word:
                await self._say(word, value)

    async def _say(self, word: str, value: str) -> None:
        data = octets(value)
        if word == "c":
            data += b"\r\n"
        elif word == "many":
            count, _, line = data.partition(b" ")
            data = b"".join(line.replace(b"#", b"%d" % number) + b"\r\n" for number in range(int(count)))
        elif word in {"message", "slow-message", "headed"}:
            data = self._message(data, headed=word == "headed")
        is_slow = word in {"bytewise", "slow-message"}
        await (self._client.send_bytewise(data) if is_slow else self._client.send(data))

    def _message(self, data: bytes, *, headed: bool) -> bytes:
        if not headed:
            head = f"From: <{self._values['from']}>\r\nTo: <{self._values['to']}>\r\nSubject: {self._played.token}\r\n"
            data = head.encode() + b"Message-ID: <%s@client.example>\r\n\r\n" % self._played.token.encode() + data
        self._played.contents.append(unstuffed(data.partition(b"\r\n\r\n")[2] + b"\r\n"))
        return data + END_OF_DATA

    async def _expect(self, value: str, *, is_end: bool) -> None:
        reply = await self._client.reply()
        wanted = Wanted.parse(value)
        if not reply and GONE in wanted.codes:
            raise Over
        objection = wanted.objection(reply)
        if objection:
            raise Complaint(f"{objection}, got {reply!r}" if reply else f"{objection}, but the server closed")
        if is_end:
            self._played.dots += 1
            self._played.promised += reply.startswith("2")

    async def _expect_close(self) -> None:
        further = [one for one in await self._client.rest() if not one.startswith("421")]
        if further:
            raise Complaint(f"went on with {further} where it must close")

    async def _expect_few(self, most: int) -> None:
        replies = await self._client.rest()
        if len(replies) > most:
            raise Complaint(f"{len(replies)} replies where {most} are owed: {replies}")
