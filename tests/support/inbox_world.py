"""An inbox with mail in it, served on loopback as `mailhaul up` serves it: for tests in a browser and for pictures.

The hostile mail asks for things in every way that HTML knows; a page that shows it must ask for none of them.
"""

import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from struct import pack

from tests.support.http_exchange import serving

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.inbox_routes import inbox_routes
from mailhaul_relay.smtpout.inbox import Captured, Inbox
from mailhaul_relay.telemetry.tally import Tally

ELSEWHERE = "spy.example"
_MAIL = Path(__file__).parent / "inbox_mail"
HOSTILE = (_MAIL / "hostile.html").read_text(encoding="utf-8")


@dataclass(frozen=True)
class World:
    """The inbox and where it is served."""

    inbox: Inbox
    origin: str

    async def take(self, mail: EmailMessage, to: str = "", sender: str = "", age: float = 0) -> None:
        """Take a mail as a capture upstream does; recipient and sender are those of its header otherwise."""
        taken = Captured(
            0,
            "1k9mzq4t7w2x",
            time.time() - age,
            "inbox",
            sender or mail["From"],
            (to or mail["To"],),
            mail["Subject"],
            0,
        )
        await self.inbox.store(taken, lambda: mail.as_bytes().replace(b"\n", b"\r\n"))


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """An empty inbox on loopback, open to this machine."""
    inbox = Inbox(folder)
    try:
        async with serving(inbox_routes(lambda: inbox, Guard(lambda: "", Tally()), is_open=True)) as server:
            yield World(inbox, f"http://127.0.0.1:{server.port}")
    finally:
        await inbox.close()


def plain(
    to: str, subject: str, text: str = "Hello,\n\nthis is a message.\n", sender: str = "shop@example.org"
) -> EmailMessage:
    """A mail of text alone."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail.set_content(text)
    return mail


def html(to: str, subject: str, body: str, sender: str = "shop@example.org") -> EmailMessage:
    """A mail of text and HTML."""
    mail = plain(to, subject, "The same as text.\n", sender)
    mail.add_alternative(body, subtype="html")
    return mail


def order(to: str) -> EmailMessage:
    """What a shop sends: HTML with its own logo, and a file."""
    mail = html(to, "Your order 1006 – thank you, Zoë", (_MAIL / "order.html").read_text(encoding="utf-8"))
    body = mail.get_payload(1)
    assert isinstance(body, EmailMessage)
    body.add_related(_logo(), "image", "png", cid="<logo@shop.example>")
    mail.add_attachment(b"%PDF-1.4 not really", maintype="application", subtype="pdf", filename="Invoice 1006.pdf")
    return mail


def _logo() -> bytes:
    """A picture of 160 by 40 pixels, two colours."""
    row = b"\0" + b"".join(b"\x0b\x5c\xad" if x < 40 or 48 < x < 150 else b"\xff\xb0\x20" for x in range(160))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    size = pack(">IIBBBBB", 160, 40, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(row * 40)) + chunk(b"IEND", b"")
