"""One session of the scripted server: reads commands, looks up what the script says, and does it."""

import asyncio
import base64
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from tests.support.smtp_script import Script, Step

if TYPE_CHECKING:
    from tests.support.scripted_server import ScriptedServer


class SessionOverError(Exception):
    """The script or the client ended the session."""


class Session:
    """The conversation with one client."""

    def __init__(
        self, server: "ScriptedServer", number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.number = number
        self.helo = self.user = self.sender = self.parameters = ""
        self.recipients: list[str] = []
        self.secured = False
        self._in_transaction = False
        self._taken = 0
        self._reader = reader
        self._writer = writer

    @property
    def script(self) -> Script:
        """The script of this moment."""
        return self.server.script

    async def run(self) -> None:
        """Talk until it is over; whatever the client does, nothing escapes."""
        try:
            with suppress(SessionOverError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._converse()
        finally:
            self._writer.close()

    async def _converse(self) -> None:
        if self.script.tls == "implicit":
            await self._secure()
        await self._do("banner", "220 scripted.example ESMTP")
        while True:
            line = await self._command()
            self.server.heard(self.number, line)
            verb = line[:4].upper()
            handler = getattr(self, f"_on_{verb.lower()}", None) if verb.isalpha() else None
            if handler is None:
                await self._send(b"500 5.5.2 what\r\n")
            else:
                await handler(line)

    async def _command(self) -> str:
        try:
            line = await asyncio.wait_for(self._reader.readline(), self.script.idle or None)
        except TimeoutError:
            await self._send(b"421 4.4.2 scripted.example idle for too long\r\n")
            raise SessionOverError from None
        if not line.endswith(b"\n"):
            raise SessionOverError
        return line.decode("utf-8", "replace").rstrip("\r\n")

    async def _do(self, point: str, usual: str) -> str:
        """Take the step of a point; gives the reply that was sent, or ends the session."""
        step = self.script.take(point)
        answer = step.answer(usual)
        await self._perform(step, answer)
        return answer.decode("latin-1")

    async def _perform(self, step: Step, answer: bytes) -> None:
        if step.delay:
            await asyncio.sleep(step.delay)
        if step.drip:
            for position in range(len(answer)):
                await self._send(answer[position : position + 1])
                await asyncio.sleep(step.drip)
        elif answer:
            await self._send(answer)
        if step.action == "hang":
            while await self._reader.read(65536):
                pass
        elif step.action == "stall":
            cast("asyncio.Transport", self._writer.transport).pause_reading()
            await asyncio.Event().wait()
        elif step.action == "reset":
            sock: socket.socket = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        if step.action:
            raise SessionOverError

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _secure(self) -> None:
        if self.server.context is None:
            raise SessionOverError
        await self._writer.start_tls(self.server.context)
        self.secured = True
        shown = self._writer.get_extra_info("peercert") or {}
        self.server.peers.append(dict(pair[0] for pair in shown.get("subject", ())).get("commonName", ""))

    async def _on_ehlo(self, line: str) -> None:
        self.helo = line[5:]
        script = self.script
        words = ["scripted.example", *script.extensions]
        if script.tls == "starttls" and not self.secured:
            words.append("STARTTLS")
        if script.accounts and (self.secured or script.tls == "none"):
            words.append("AUTH " + " ".join(script.mechanisms))
        await self._do("ehlo", "\n".join([*(f"250-{one}" for one in words[:-1]), f"250 {words[-1]}"]))

    async def _on_helo(self, line: str) -> None:
        self.helo = line[5:]
        await self._do("helo", "250 scripted.example")

    async def _on_star(self, _line: str) -> None:
        reply = await self._do("starttls", "220 2.0.0 go ahead")
        if reply.startswith("220"):
            await self._secure()

    async def _on_auth(self, line: str) -> None:
        words = line.split()
        user = ""
        if words[1].upper() == "PLAIN":
            user = self._plain(words[2] if len(words) > 2 else await self._challenge(""))
        elif words[1].upper() == "LOGIN":
            name = base64.b64decode(words[2] if len(words) > 2 else await self._challenge("Username:")).decode()
            password = base64.b64decode(await self._challenge("Password:")).decode()
            user = name if self.script.accounts.get(name) == password else ""
        elif words[1].upper() == "XOAUTH2":
            user = await self._bearer(words[2] if len(words) > 2 else await self._challenge(""))
        usual = "235 2.7.0 welcome" if user else "535 5.7.8 authentication credentials invalid"
        reply = await self._do("auth", usual)
        self.user = user if reply.startswith("235") else ""

    def _plain(self, response: str) -> str:
        with suppress(ValueError):
            _, user, password = base64.b64decode(response, validate=True).decode().split("\0")
            if self.script.accounts.get(user) == password:
                return user
        return ""

    async def _bearer(self, response: str) -> str:
        """XOAUTH2: a token that is refused gets its error in JSON first, which the client must answer with nothing."""
        with suppress(ValueError):
            user, bearer = base64.b64decode(response, validate=True).decode().removesuffix("\1\1").split("\1")
            user, token = user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")
            self.server.tokens.append(token)
            if self.script.accounts.get(user) == token:
                return user
        if await self._challenge('{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}'):
            await self._send(b"501 5.5.2 an empty response was due\r\n")
            raise SessionOverError
        return ""

    async def _challenge(self, prompt: str) -> str:
        await self._send(b"334 " + base64.b64encode(prompt.encode()) + b"\r\n")
        return await self._command()

    async def _on_mail(self, line: str) -> None:
        self.sender, self.parameters = _path(line[10:])
        self.recipients = []
        if self.script.close_after and self._taken >= self.script.close_after:
            await self._send(b"421 4.7.0 scripted.example too many messages on this connection\r\n")
            raise SessionOverError
        usual = "530 5.7.0 authentication required" if self.script.accounts and not self.user else "250 2.1.0 ok"
        reply = await self._do("mail", self.script.senders.get(self.sender, usual))
        self._in_transaction = reply.startswith("2")

    async def _on_rcpt(self, line: str) -> None:
        address, _ = _path(line[8:])
        if not self._in_transaction:
            await self._send(b"503 5.5.1 need MAIL first\r\n")
            return
        reply = await self._do("rcpt", self.script.recipients.get(address, "250 2.1.5 ok"))
        if reply.startswith("2"):
            self.recipients.append(address)

    async def _on_data(self, _line: str) -> None:
        usual = "354 go ahead" if self.recipients else "554 5.5.1 no valid recipients"
        if not self._in_transaction:
            await self._send(b"503 5.5.1 need MAIL first\r\n")
            return
        reply = await self._do("data", usual)
        if not reply.startswith("354"):
            return
        data = await self._content()
        step = self.script.take("dot")
        answer = step.answer("250 2.0.0 queued")
        self.server.keep(self, data, answer.decode("latin-1").rstrip())
        self._taken += 1
        self.recipients = []
        self._in_transaction = False
        await self._perform(step, answer)
        if "after" in self.script.steps:
            await self._do("after", "")

    async def _content(self) -> bytes:
        first = await self._reader.readexactly(1)
        if "content" in self.script.steps:
            await self._do("content", "")
        lines = [b"\r\n"]
        while True:
            line, first = first + await self._reader.readline(), b""
            if line == b".\r\n" and lines[-1].endswith(b"\r\n"):
                return b"".join(lines[1:])
            if not line.endswith(b"\n"):
                raise SessionOverError
            lines.append(line)

    async def _on_rset(self, _line: str) -> None:
        self.recipients = []
        self._in_transaction = False
        await self._do("rset", "250 2.0.0 ok")

    async def _on_noop(self, _line: str) -> None:
        await self._do("noop", "250 2.0.0 ok")

    async def _on_quit(self, _line: str) -> None:
        await self._do("quit", "221 2.0.0 bye")
        raise SessionOverError


def _path(text: str) -> tuple[str, str]:
    """Split `<address> PARAMETERS` of MAIL and RCPT; quoted local parts may hold a bracket."""
    inside, _, parameters = text.strip().partition("> ")
    return inside.removeprefix("<").removesuffix(">"), parameters
