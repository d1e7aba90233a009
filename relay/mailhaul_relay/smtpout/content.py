"""Sends head, body and final dot: in one write when small, else in chunks as the other side takes them.

Called by `transaction` after 354. Memory is one chunk and the socket's own buffer, whatever the size of the body.
A file is read without waiting where the kernel has it in its cache (it was written a moment ago), else in a thread.
Failures: LostError, TimeoutError, GarbageError, EarlyReplyError, BodyError; the final dot was not sent then.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

from mailhaul_relay.model.message import Body
from mailhaul_relay.smtpout.wire import LostError, Wire

CHUNK = 256 * 1024
_END = b".\r\n"


class BodyError(Exception):
    """The message's own file cannot be read; no fault of the upstream."""


class EarlyReplyError(Exception):
    """The upstream answered before the final dot; the answer is still in the wire's `answers`."""


async def send_content(wire: Wire, head: bytes, body: Body, limit: float) -> None:
    """Send the content. When this returns, the final dot was handed to the socket."""
    wire.require_clean()
    if body.data is not None and body.size <= CHUNK:
        wire.write(b"".join((head, body.data, _end_after(body.data or head))), owed=1)
        return
    wire.write(head, owed=1)
    tail = head[-2:]
    async with aclosing(_chunks(body)) as chunks:
        async for chunk in chunks:
            await _room(wire, limit)
            wire.write(chunk)
            tail = (tail + bytes(chunk[-2:]))[-2:]
    await _room(wire, limit)
    wire.write(_end_after(tail))


async def _room(wire: Wire, limit: float) -> None:
    """Wait until more may be written; an answer that came before the final dot ends it, also when the line broke."""
    try:
        await wire.drain(limit)
    except (LostError, TimeoutError):
        if not wire.answers:
            raise
    if wire.answers:
        raise EarlyReplyError


def _end_after(text: bytes) -> bytes:
    """The final dot, on a line of its own even when the content does not end in CRLF."""
    return _END if text.endswith(b"\r\n") else b"\r\n" + _END


async def _chunks(body: Body) -> AsyncGenerator[memoryview, None]:
    if body.data is not None:
        view = memoryview(body.data)
        for start in range(0, len(view), CHUNK):
            yield view[start : start + CHUNK]
        return
    descriptor = _open(str(body.path))
    try:
        position = 0
        while chunk := await _read(descriptor, position):
            position += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)
    if position != body.size:
        raise BodyError(f"the body's file has {position} bytes where {body.size} were stored")


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BodyError(f"the body's file cannot be opened: {error.strerror}") from error


async def _read(descriptor: int, position: int) -> memoryview:
    """Read a chunk at a position: from the page cache at once, from the disk in a thread."""
    nowait = getattr(os, "RWF_NOWAIT", 0)
    if nowait:
        chunk = bytearray(CHUNK)
        try:
            size = os.preadv(descriptor, [chunk], position, nowait)
        except OSError:
            pass  # not in the cache, or a file system that cannot tell
        else:
            return memoryview(chunk)[:size]
    try:
        loop = asyncio.get_running_loop()
        return memoryview(await loop.run_in_executor(None, os.pread, descriptor, CHUNK, position))
    except OSError as error:
        raise BodyError(f"the body's file cannot be read: {error.strerror}") from error
