"""What a person may do with mail in the queue: list, show, retry and drop, one message or many.

`http.queue_routes` calls it; it works on the spool beside the engine. A message is claimed before it is read and
changed, so that no attempt runs on an older state; one that is being delivered is left alone and told as active. Every
change is logged, for it decides on accepted mail. Failures: SpoolError; then that message was not changed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from mailhaul_relay.model.message import Body, Message, State
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.orders import STORED, Answer, Page, Selection, Tallied, dropped, retried
from mailhaul_relay.spool.interface import Spool
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

MAX_PAGE = 500
"""Messages that one call looks at; a caller goes on after the last id."""

_NO_BYTES = Body(0, b"")
Act = Callable[[list[str]], Awaitable[int]]
Messages = list[Message]
States = frozenset[State]


class Claims(Protocol):
    """What the engine offers to commands."""

    def claim(self, message_id: str) -> bool:
        """Keep a message from being worked on until `release`; False when it is being worked on or claimed now."""

    def release(self, message_id: str) -> None:
        """Give a claimed message back; what was read of it before is stale."""

    def kick(self) -> None:
        """Look for due mail now."""


@dataclass(frozen=True, slots=True)
class Journal:
    """Where commands are written down."""

    tally: Tally
    log: Log

    def retried(self, message: Message, upstream: str) -> None:
        """A person asked for another attempt."""
        self.log.event("queue-retried", id=message.id, upstream=upstream or None)

    def dropped(self, message: Message) -> None:
        """A person gave accepted mail up."""
        self.tally.dropped += 1
        recipients = [one.final for one in message.envelope.recipients]
        self.log.event(
            "queue-dropped", level="warning", id=message.id, sender=message.envelope.sender, recipients=recipients
        )


class QueueCommands:
    """The commands. `upstreams` gives the names in the running configuration."""

    def __init__(
        self, spool: Spool, claims: Claims, upstreams: Callable[[], Iterable[str]], journal: Journal, clock: Clock
    ) -> None:
        self._spool, self._claims = spool, claims
        self._upstreams = upstreams
        self._journal = journal
        self._clock = clock

    async def list(self, selection: Selection, after: str = "", limit: int = 100) -> Page:
        """Give one page; with parts of addresses it may hold fewer than `limit` and yet have a following one."""
        limit = max(1, min(limit, MAX_PAGE))
        reach = limit if selection.is_plain else MAX_PAGE
        seen = await self._spool.list(selection.states, after, reach)
        found = [one for one in seen if selection.takes(one)]
        shown = tuple(found[:limit])
        if len(found) > limit:
            return Page(shown, shown[-1].envelope.id)
        return Page(shown, seen[-1].envelope.id if len(seen) == reach else "")

    async def show(self, message_id: str) -> Message | None:
        """Give one message with its bytes, None when it is gone."""
        return await self._spool.load(message_id)

    async def retry(self, message_id: str, upstream: str = "") -> Answer:
        """Make every undelivered recipient due now, dead letters too; through `upstream` when one is named."""
        if upstream and upstream not in self._upstreams():
            return Answer.NO_SUCH_UPSTREAM
        return await self._one(message_id, lambda ids: self._retry(ids, STORED, upstream))

    async def drop(self, message_id: str) -> Answer:
        """Remove a message for good."""
        return await self._one(message_id, lambda ids: self._drop(ids, STORED))

    async def retry_all(self, selection: Selection, upstream: str = "", after: str = "") -> Tallied | Answer:
        """Retry the selected messages of one page, and in them the recipients in the selected states."""
        if upstream and upstream not in self._upstreams():
            return Answer.NO_SUCH_UPSTREAM
        return await self._many(selection, after, lambda ids: self._retry(ids, selection.states, upstream))

    async def drop_all(self, selection: Selection, after: str = "") -> Tallied:
        """Drop the selected messages of one page whose every undelivered recipient is in the selected states."""
        return await self._many(selection, after, lambda ids: self._drop(ids, selection.states))

    async def _one(self, message_id: str, act: Act) -> Answer:
        if not self._claims.claim(message_id):
            return Answer.ACTIVE
        try:
            done = await act([message_id])
        finally:
            self._claims.release(message_id)
        self._claims.kick()
        return Answer.DONE if done else Answer.GONE

    async def _many(self, selection: Selection, after: str, act: Act) -> Tallied:
        page = await self.list(selection, after, MAX_PAGE)
        wanted = [one.envelope.id for one in page.messages]
        claimed = [message_id for message_id in wanted if self._claims.claim(message_id)]
        try:
            done = await act(claimed)
        finally:
            for message_id in claimed:
                self._claims.release(message_id)
        self._claims.kick()
        return Tallied(done, len(wanted) - done, page.following)

    async def _retry(self, ids: Iterable[str], states: States, upstream: str) -> int:
        now = self._clock()
        chosen = await self._chosen(ids, lambda message: retried(message, states, upstream, now))
        await _all([self._spool.update(message) for message in chosen])
        for message in chosen:
            self._journal.retried(message, upstream)
        return len(chosen)

    async def _drop(self, ids: Iterable[str], states: States) -> int:
        chosen = await self._chosen(ids, lambda message: dropped(message, states))
        await _all([self._spool.remove(message.id) for message in chosen])
        for message in chosen:
            self._journal.dropped(message)
        return len(chosen)

    async def _chosen(self, ids: Iterable[str], change: Callable[[Message], Message | None]) -> Messages:
        """Read claimed messages anew and give what is to become of them; their bytes are let go one by one."""
        chosen = []
        for message_id in ids:
            message = await self._spool.load(message_id)
            changed = change(message) if message else None
            if changed:
                chosen.append(replace(changed, head=b"", body=_NO_BYTES))
        return chosen


async def _all(commits: list["asyncio.Future[None]"]) -> None:
    """Wait until every commit has answered, then raise the first failure: none is left unobserved."""
    results = await asyncio.gather(*commits, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
