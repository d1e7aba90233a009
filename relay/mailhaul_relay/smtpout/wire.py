"""The socket of one conversation: writes, answers in order, flow control and time limits on one asyncio Protocol.

`connection` sets it up, `transaction` talks over it, `pool` keeps it. It knows how many answers are owed, so that
anything unasked for makes it unfit for another transaction (`is_clean`). Failures are `LostError`, `GarbageError` and
TimeoutError; answers that came before them stay in `answers`.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.smtpout.concealment import longest_first
from mailhaul_relay.smtpout.replies import Answer, ReplyParser

READ_SIZE = 16_384
"""Octets read at once. asyncio's own 256 KiB are mapped and unmapped by the kernel for every reply: 13 us each."""
LARGE = 32_768
"""Octets from which a write is not put off to the end of the loop's turn."""


class LostError(ConnectionError):
    """The other side closed or the connection broke; `cause` says how."""


class GarbageError(Exception):
    """The other side sent something that is no SMTP, or answers that nobody asked for."""


class Wire(asyncio.Protocol):
    """One connection, on `loop`. It is used by one task at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox) -> None:
        self.answers: deque[Answer] = deque()
        self.lost: Exception | None = None
        self.when_lost: Callable[[], None] | None = None
        self.loop = loop
        self._outbox = outbox
        self._out: list[bytes | memoryview] = []
        self._parser = ReplyParser()
        self._owed = 1  # the banner
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._limit = 0.0
        self._progress = 0.0
        self._leaving: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def is_clean(self) -> bool:
        """Whether it is alive, everything that was asked is answered, and nothing else came."""
        return self.lost is None and not self.answers and self._owed == 0 and self._parser.is_between_replies

    def write(self, data: bytes | memoryview, owed: int = 0) -> None:
        """Send bytes that will be answered `owed` times. Nothing happens when the connection is lost."""
        self._owed += owed
        if self.lost is not None or self._transport is None:
            return
        self._out.append(data)
        if len(data) >= LARGE:
            self._flush()
        elif len(self._out) == 1:
            self._outbox.add(self._flush)

    def _flush(self) -> None:
        """Hand what was written to the transport; `Outbox` does it at the end of the loop's turn."""
        out, self._out = self._out, []
        if out and self.lost is None and self._transport is not None:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    async def answer(self, limit: float) -> Answer:
        """Wait for the next answer and take it."""
        await self.gather(1, limit)
        return self.answers.popleft()

    async def gather(self, count: int, limit: float) -> None:
        """Wait until this many answers are there, each within `limit` seconds of the one before it."""
        if len(self.answers) >= count:
            return
        self._fail_if_over()
        self._waiter, self._wanted = self.loop.create_future(), count
        self._progress, self._limit = self.loop.time(), limit
        if self._timer is None or self._timer.when() > self._progress + limit:
            self._arm(limit)
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def drain(self, limit: float) -> None:
        """Wait until the other side has taken most of what was written."""
        self._fail_if_over()
        if self._room is not None:
            async with asyncio.timeout(limit):
                await asyncio.shield(self._room)
            self._fail_if_over()

    def require_clean(self) -> None:
        """Raise LostError or GarbageError unless everything was answered and nothing else came."""
        self._fail_if_over()
        if not self.is_clean:
            raise GarbageError("the upstream sent replies that nobody asked for")

    async def start_tls(self, context: ssl.SSLContext, server_name: str, limit: float) -> None:
        """Secure the connection. Bytes that came in plain text after the last answer are an injection: GarbageError."""
        self._fail_if_over()
        if self.answers or not self._parser.is_between_replies or self._transport is None:
            raise GarbageError("data was sent in plain text before the TLS handshake")
        # No await between the check and start_tls, which stops reading at once: nothing can slip in.
        secured = await self.loop.start_tls(
            self._transport,
            self,
            context,
            server_hostname=server_name,
            ssl_handshake_timeout=limit,
            ssl_shutdown_timeout=1.0,
        )
        if secured is None:
            raise LostError("the connection was lost in the TLS handshake")
        self._transport = secured
        self._parser = ReplyParser()

    def conceal(self, secrets: tuple[bytes, ...]) -> None:
        """Keep these out of what is told of all answers to come."""
        self._parser.secrets = longest_first((*self._parser.secrets, *secrets))

    def leave(self, limit: float) -> "asyncio.Future[None]":
        """Say QUIT and go away by itself: when it was answered, or after `limit` seconds. Resolved when it is gone."""
        gone: asyncio.Future[None] = self.loop.create_future()
        if self._transport is None or self.lost is not None:
            gone.set_result(None)
        else:
            self._leaving = self.loop.call_later(limit, self.abort)
            self._gone = gone
            self._flush()
            self._transport.write(b"QUIT\r\n")
        return gone

    def abort(self) -> None:
        """Drop the connection now."""
        if self._transport is not None:
            self._transport.abort()
        self._over(LostError("the relay dropped the connection"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop when the connection stands."""
        self._transport = cast("asyncio.Transport", transport)
        transport.max_size = READ_SIZE  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Called by the loop with bytes; wakes who waits for answers."""
        if self._leaving is not None and self._transport is not None:
            self._transport.close()
            return
        answers = self._parser.feed(data)
        if answers:
            self._owed -= len(answers)
            self._progress = self.loop.time()
            self.answers.extend(answers)
        waiter = self._waiter
        if waiter is None or waiter.done():
            if self._owed < 0 or self._parser.broken:
                self.abort()
            return
        if len(self.answers) >= self._wanted:
            waiter.set_result(None)
        elif self._parser.broken:
            waiter.set_exception(GarbageError(self._parser.broken))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop once, at the end."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        self._over(LostError(str(exc) if exc else "the upstream closed the connection"))

    def pause_writing(self) -> None:
        """Called by the transport when its buffer is full."""
        if self._room is None:
            self._room = self.loop.create_future()

    def resume_writing(self) -> None:
        """Called by the transport when its buffer has drained."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _over(self, error: Exception) -> None:
        if self.lost is not None:
            return
        self.lost = error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.when_lost is not None:
            self.when_lost()
        self.resume_writing()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self.lost)

    def _fail_if_over(self) -> None:
        if self._parser.broken:
            raise GarbageError(self._parser.broken)
        if self.lost is not None:
            raise self.lost

    def _arm(self, seconds: float) -> None:
        """Look at the time later. A timer outlives the wait that it was made for: one for each would cost more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._check_time)

    def _check_time(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        left = self._progress + self._limit - self.loop.time()
        if left > 0.001:
            self._arm(left)
        else:
            self._waiter.set_exception(TimeoutError(f"no answer within {self._limit:g} s"))
