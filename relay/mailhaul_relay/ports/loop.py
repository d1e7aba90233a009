"""The event loop of the relay: asyncio's own, but for how it looks names up.

A look-up is a call of the C library that nothing can interrupt, and a dead name server holds it for half a minute.
asyncio makes it in the few threads that file reads and reloads need too, and waits for all of them at the end: one
upstream's dead name would stop everything else and delay the stop. Here each name is looked up once at a time, in a
thread of its own that nobody waits for. Failures: those of `socket.getaddrinfo`, told to everybody who asked.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

Question = tuple[Any, ...]


class Loop(asyncio.SelectorEventLoop):
    """A selector loop whose look-ups hold up nobody."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[Question, asyncio.Future[Any]] = {}

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's own name
        proto: int = 0,
        flags: int = 0,
    ) -> Any:  # noqa: ANN401 - as the C library gives it
        """As `socket.getaddrinfo`; whoever asks the same while the answer is awaited shares it."""
        question = (host, port, family, type, proto, flags)
        answer = self._asked.get(question)
        if answer is None:
            answer = self.create_future()
            thread = threading.Thread(target=self._look_up, args=(question, answer), name="name", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # nobody is to await the answer to a question that is asked by no thread
                raise socket.gaierror(socket.EAI_AGAIN, f"the name was not looked up: {error}") from None
            self._asked[question] = answer
            answer.add_done_callback(lambda done: self._answered(question, done))
        return await asyncio.shield(answer)

    def _look_up(self, question: Question, answer: "asyncio.Future[Any]") -> None:
        """Ask, in a thread of its own; the loop may be closed when the answer comes."""
        found: Any = None
        failure: Exception | None = None
        try:
            found = socket.getaddrinfo(*question)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
            failure = error
        with suppress(RuntimeError):
            self.call_soon_threadsafe(_tell, answer, found, failure)

    def _answered(self, question: Question, answer: "asyncio.Future[Any]") -> None:
        del self._asked[question]
        if not answer.cancelled():
            answer.exception()  # seen, though everybody who asked may be gone


def _tell(answer: "asyncio.Future[Any]", found: object, failure: Exception | None) -> None:
    if answer.done():
        return
    if failure is None:
        answer.set_result(found)
    else:
        answer.set_exception(failure)
