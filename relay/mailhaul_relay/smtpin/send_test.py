"""A send-test: an SMTP session with our own listener, held as an application would, and written down.

`app` gives the listener and the marker of the message; the session is a real one, from the greeting to the 250 after
the commit. Nothing is raised but cancellation: a refusal, a broken line and silence are lines of the transcript.
"""

import asyncio
from collections.abc import Callable

from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.trial_mail import Sent, TrialMail, trial_text
from mailhaul_relay.smtpin.listener import Listener
from mailhaul_relay.telemetry.transcript import Side, Transcript

LIMIT = 20.0
"""Seconds for the whole session; the relay answers within milliseconds unless its disk does not."""


async def send_test(
    listener: Listener, running: Running, mail: TrialMail, transcript: Transcript, mark: Callable[[str], None]
) -> Sent:
    """Send one mail. `mark` is told its id before the queue can have begun on it."""
    ids: list[str] = []

    def begun(message_id: str) -> None:
        ids.append(message_id)
        mark(message_id)

    client = _Client(*await asyncio.open_connection(sock=listener.connect_own(begun)), transcript)
    try:
        async with asyncio.timeout(LIMIT):
            await client.converse(running, mail, lambda: ids[-1])
    except TimeoutError:
        transcript.add(Side.CLIENT, f"(no answer within {LIMIT:g} seconds; see /healthz of the relay)")
    except OSError as error:
        transcript.add(Side.CLIENT, f"(the session broke: {error.strerror or type(error).__name__})")
    finally:
        client.close()
    return Sent(ids[-1] if ids else "", client.accepted)


class _Client:
    """The client's end of the session; `accepted` once the message was answered 250."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transcript: Transcript) -> None:
        self._reader, self._writer = reader, writer
        self._transcript = transcript
        self.accepted = False

    async def converse(self, running: Running, mail: TrialMail, message_id: Callable[[], str]) -> None:
        """Go on while the answers are good."""
        utf8 = "" if all(map(str.isascii, (mail.sender, *mail.recipients))) else " SMTPUTF8"
        if not await self._hears(2):
            return
        if await self._told([f"EHLO {running.config.hostname}", f"MAIL FROM:<{mail.sender}>{utf8}"]):
            taken = [await self._ask(f"RCPT TO:<{one}>", 2) for one in mail.recipients]
            if any(taken) and await self._ask("DATA", 3):
                self.accepted = await self._send(trial_text(running, mail, message_id()))
        await self._ask("QUIT", 2)

    def close(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    async def _told(self, commands: list[str]) -> bool:
        for command in commands:
            if not await self._ask(command, 2):
                return False
        return True

    async def _ask(self, command: str, wanted: int) -> bool:
        self._transcript.add(Side.CLIENT, command)
        self._writer.write(command.encode() + b"\r\n")
        return await self._hears(wanted)

    async def _send(self, text: bytes) -> bool:
        self._transcript.add(Side.CLIENT, f"(the message, {len(text)} octets)")
        self._transcript.add(Side.CLIENT, ".")
        self._writer.write(text + b".\r\n")
        return await self._hears(2)

    async def _hears(self, wanted: int) -> bool:
        """Read one reply; whether its code is of the wanted class. The end of the session is no."""
        while True:
            line = await self._reader.readline()
            if not line:
                return False
            self._transcript.add(Side.SERVER, line.decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                return line[:1] == str(wanted).encode()
