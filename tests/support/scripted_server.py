"""An SMTP server that does what a script says, fault by fault, and remembers every message that it got.

As a library (nothing is left behind on exit)::

    async with ScriptedServer({"steps": {"rcpt": "550 5.1.1 no such user"}}) as server:
        ...  # connect to ("127.0.0.1", server.port)
        server.play({"steps": {"dot": {"action": "drop"}}})   # another behaviour, from the next command on
        server.messages[0].data, server.connections, server.commands
        server.at_message = lambda number: ...   # called after the number-th message, before it is answered

As a program::

    python -m tests.support.scripted_server --port 2525 --script script.json --log messages.jsonl
    python -m tests.support.scripted_server --port 0 --control-port 0 --ready-file addresses.json

`--script` names a JSON file that is read again whenever it changes (looked at five times a second). `--log` gets one
JSON line for each message. On the control port each line is a JSON object with one key and is answered by one line:
`{"script": {...}}` plays a script, `{"messages": 0}` gives the number of messages and the metadata of those from that
index on, `{"commands": 0}` the commands likewise, `{"stop": 1}` ends the program. The script's form is in
`smtp_script.py`. It ends on SIGTERM and SIGINT. It listens on loopback only.
"""

import argparse
import asyncio
import json
import signal
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.smtp_script import Script
from tests.support.smtp_session import Session


@dataclass(frozen=True)
class Received:
    """One message as it came: envelope, raw bytes (still dot-stuffed, without the final dot), and where."""

    connection: int
    helo: str
    user: str
    tls: bool
    sender: str
    parameters: str
    recipients: tuple[str, ...]
    data: bytes
    reply: str

    @property
    def accepted(self) -> bool:
        """Whether the final dot was answered positively. A dropped answer leaves `reply` empty."""
        return self.reply.startswith("2")

    def summary(self) -> dict[str, Any]:
        """Everything in JSON's types; the data as Latin-1 text."""
        return {**asdict(self), "data": self.data.decode("latin-1")}


class ScriptedServer:
    """The listening server. `context` is needed by scripts with TLS (see `certificates.py`)."""

    def __init__(
        self, script: Script | dict[str, Any] | None = None, context: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.script = Script.parse(script or {})
        self.context = context
        self.port = port
        self.connections = 0
        self.messages: list[Received] = []
        self.commands: list[str] = []
        self.peers: list[str] = []
        """Common names of the certificates that clients showed in their handshakes, "" for none."""
        self.tokens: list[str] = []
        """The bearer tokens that were shown with XOAUTH2, in order."""
        self.log: Path | None = None
        self.at_message: Callable[[int], None] = lambda _number: None
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._turn: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._listen()
        if self.script.connect == "refuse":
            await self._deafen()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._turn is not None:
            await self._turn
        await self._deafen()
        sessions = tuple(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await asyncio.sleep(0)

    @property
    def open_connections(self) -> int:
        """Sessions that have not ended."""
        return len(self._sessions)

    @property
    def accepted(self) -> list[Received]:
        """The messages whose final dot was answered positively."""
        return [one for one in self.messages if one.accepted]

    def play(self, script: Script | dict[str, Any]) -> None:
        """Behave by another script from the next command on; a changed `connect` takes effect within a moment."""
        self.script = Script.parse(script)
        self._turn = asyncio.get_running_loop().create_task(self._follow(self._turn))

    async def settled(self) -> None:
        """Wait until a played script's `connect` has taken effect."""
        if self._turn is not None:
            await self._turn

    async def _follow(self, earlier: "asyncio.Task[None] | None") -> None:
        if earlier is not None:
            await earlier
        if self.script.connect == "refuse":
            await self._deafen()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=1 << 24, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        session = Session(self, self.connections, reader, writer)
        task = asyncio.get_running_loop().create_task(session.run())
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    def heard(self, connection: int, command: str) -> None:
        """Remember a command (the first 100 000); what follows AUTH is left out."""
        if len(self.commands) < 100_000:
            shown = " ".join(command.split()[:2]) if command.upper().startswith("AUTH") else command
            self.commands.append(f"{connection} {shown}")

    def keep(self, session: Session, data: bytes, reply: str) -> None:
        """Remember a message."""
        message = Received(
            session.number, session.helo, session.user, session.secured, session.sender, session.parameters,
            tuple(session.recipients), data, reply,
        )  # fmt: skip
        self.messages.append(message)
        self.at_message(len(self.messages))
        if self.log is not None:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(message.summary()) + "\n")


class Control:
    """The control port: one JSON object a line in, one out."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.stopped = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the other side closes."""
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if "script" in request:
                self.server.play(request["script"])
                await self.server.settled()
                return {"ok": True}
            if "messages" in request:
                kept = self.server.messages
                return {"count": len(kept), "messages": [one.summary() for one in kept[request["messages"] :]]}
            if "commands" in request:
                return {"commands": self.server.commands[request["commands"] :]}
            if "stop" in request:
                self.stopped.set()
                return {"ok": True}
        except (ValueError, TypeError, KeyError) as error:
            return {"error": str(error)}
        return {"error": "one of script, messages, commands, stop is needed"}


async def follow_file(server: ScriptedServer, path: Path) -> None:
    """Play a script file now and whenever it changes; a bad one is told and the last good one stays."""
    seen = ""
    while True:
        try:
            text = path.read_text(encoding="utf-8")  # noqa: ASYNC240 - a small file of a test
            if text != seen:
                seen = text
                server.play(json.loads(text))
        except (OSError, ValueError, TypeError) as error:
            print(f"scripted_server: {path}: {error}", flush=True)
        await asyncio.sleep(0.2)


async def run(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)
    async with ScriptedServer(context=context, port=options.port) as server:
        server.log = options.log
        control = Control(server)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, control.stopped.set)
        addresses = {"port": server.port}
        listener = None
        if options.control_port is not None:
            listener = await asyncio.start_server(control.serve, "127.0.0.1", options.control_port, limit=1 << 20)
            addresses["control_port"] = listener.sockets[0].getsockname()[1]
        follower = asyncio.create_task(follow_file(server, options.script)) if options.script else None
        if options.ready_file:
            options.ready_file.write_text(json.dumps(addresses), encoding="utf-8")
        print(json.dumps(addresses), flush=True)
        await control.stopped.wait()
        if follower is not None:
            follower.cancel()
        if listener is not None:
            listener.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="A scripted SMTP server on loopback")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int)
    parser.add_argument("--script", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument("--certificate", help="PEM chain for STARTTLS or implicit TLS")
    parser.add_argument("--key", help="PEM private key")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
