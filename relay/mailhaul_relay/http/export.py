"""A queued message as an `.eml` file: its bytes as a recipient would get them, without stuffed dots, piece by piece.

`queue_routes` sends the pieces; a body in a file is never in memory as a whole. Failures: OSError while reading; the
answer then ends early, which its reader notices.
"""

import asyncio
from collections.abc import AsyncGenerator

from mailhaul_relay.model.message import Message

_PIECE = 65_536
_LINE_END = b"\r\n"


class Unstuffing:
    """Takes stuffed dots out of a stream (RFC 5321 section 4.5.2), however it is cut into pieces."""

    def __init__(self) -> None:
        # The stream begins as a line does; what was never there is not given.
        self._kept, self._surplus = _LINE_END, len(_LINE_END)

    def feed(self, data: bytes) -> bytes:
        """Give what is certain after this piece; a line end at its end is kept until what follows is known."""
        if not data:
            return b""
        whole = self._kept + data
        # Counted before a dot is taken out: a second one behind it is the message's own.
        certain = len(whole) - (2 if whole.endswith(_LINE_END) else whole.endswith(b"\r"))
        self._kept = whole[certain:]
        start, self._surplus = self._surplus, 0
        return whole[:certain].replace(b"\r\n.", _LINE_END)[start:]

    def end(self) -> bytes:
        """Give what was kept."""
        return self._kept[self._surplus :]


async def pieces(message: Message) -> AsyncGenerator[bytes, None]:
    """Give a message's bytes."""
    plain = Unstuffing()
    yield plain.feed(message.head)
    if message.body.path is None:
        yield plain.feed(message.body.data or b"")
    else:
        file = await asyncio.to_thread(open, message.body.path, "rb")
        try:
            while data := await asyncio.to_thread(file.read, _PIECE):
                yield plain.feed(data)
        finally:
            file.close()
    yield plain.end()
