"""`swaks`, the Swiss army knife of SMTP testers, as a client of the relay: one call, one conversation."""

import asyncio
from dataclasses import dataclass

from tests.support.programs import need


@dataclass(frozen=True)
class Conversation:
    """What swaks saw. `code` is its exit code: 0 when the server took the mail."""

    code: int
    transcript: str

    def replies(self) -> list[str]:
        """The server's lines, in order. swaks marks them `<-`, refusals `<**`, and those within TLS `<~`."""
        marks = ("<-  ", "<** ", "<~  ", "<~* ")
        return [line[4:] for line in self.transcript.splitlines() if line[:4] in marks]


async def swaks(port: int, *options: str, content: str = "") -> Conversation:
    """Run it against a port of loopback. `content` is the whole message with line feeds; swaks makes them CRLF."""
    data = ("--data", "-") if content else ()
    command = [str(need("swaks")), "--server", "127.0.0.1", "--port", str(port), "--helo", "swaks.example"]
    process = await asyncio.create_subprocess_exec(
        *command, "--timeout", "20", *data, *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(content.encode()), 40)
    return Conversation(process.returncode or 0, output.decode("utf-8", "replace"))
