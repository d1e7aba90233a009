"""What a person may do with mail in the queue: list, show, and every verb of `orders`, one message or many.

`http.queue_routes` calls it; it works on the spool beside the engine. A message is claimed before it is read and
changed, so that no attempt runs on an older state; one that is being delivered is left alone and told as active. Every
change is written down (`journal`), for it decides on accepted mail. So what was begun goes on to its end and is written
down when whoever asked has left or waited too long. Failures: SpoolError; then some message was not changed, and those
that were are written down.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mailhaul_relay.model.message import Body, Message
from mailhaul_relay.policy.route_match import Traits
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.journal import Journal
from mailhaul_relay.queue.orders import Answer, Order, Page, Selection, Tallied, Verb
from mailhaul_relay.queue.verbs import Changes, Settings, changes, everybody
from mailhaul_relay.spool.interface import Spool, Stored

MAX_PAGE = 500
"""Messages that one call looks at; a caller goes on after the last id."""

_NO_BYTES = Body(0, b"")
_Wanted = tuple[list[str], int, str]
_T = TypeVar("_T")
Meant = Callable[[Stored | Message], frozenset[int]]


class Claims(Protocol):
    """What the engine offers to commands."""

    def claim(self, message_id: str) -> bool:
        """Keep a message from being worked on until `release`; False when it is being worked on or claimed now."""

    def release(self, message_id: str) -> None:
        """Give a claimed message back; what was read of it before is stale."""

    def kick(self) -> None:
        """Look for due mail now."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A message, what becomes of its recipients, and it afterwards."""

    before: Message
    changes: Changes

    @property
    def after(self) -> Message:
        return self.before.with_progress(self.changes)


class QueueCommands:
    """The commands, under the configuration of the moment."""

    def __init__(
        self, spool: Spool, claims: Claims, running: Callable[[], Running], journal: Journal, clock: Clock
    ) -> None:
        self._spool, self._claims = spool, claims
        self._running = running
        self._journal = journal
        self._clock = clock
        self._begun: set[asyncio.Task[Any]] = set()

    async def list(self, selection: Selection, after: str = "", limit: int = 100) -> Page:
        """Give one page; with a filter it may hold fewer than `limit` and yet have a following one."""
        limit = max(1, min(limit, MAX_PAGE))
        reach = limit if selection.is_plain else MAX_PAGE
        seen = await self._spool.list(selection.states, after, reach, selection.narrowed)
        found = [one for one in seen if selection.chosen(one)]
        shown = tuple(found[:limit])
        if len(found) > limit:
            return Page(shown, shown[-1].envelope.id)
        return Page(shown, seen[-1].envelope.id if len(seen) == reach else "")

    async def show(self, message_id: str) -> Message | None:
        """Give one message with its bytes, None when it is gone."""
        return await self._spool.load(message_id)

    async def one(self, message_id: str, order: Order, *, dry: bool = False) -> Answer:
        """Carry an order out on every undelivered recipient of a message; `dry` only tells what would be answered."""
        if not self._knows(order.upstream):
            return Answer.NO_SUCH_UPSTREAM
        if not self._claims.claim(message_id):
            return Answer.ACTIVE
        return await self._to_the_end(self._one(message_id, order, dry=dry))

    async def _one(self, message_id: str, order: Order, *, dry: bool) -> Answer:
        try:
            if dry:
                done = int(await self._chosen(message_id, order, everybody) is not None)
            else:
                done = await self._act([message_id], order, everybody)
            gone = not done and await self._spool.load(message_id) is None
        finally:
            self._claims.release(message_id)
        self._claims.kick()
        return Answer.DONE if done else Answer.GONE if gone else Answer.NOTHING

    async def many(self, selection: Selection, order: Order, after: str = "") -> Tallied | Answer:
        """Carry an order out on what is selected of one page of messages."""
        if not self._knows(order.upstream):
            return Answer.NO_SUCH_UPSTREAM
        wanted, skipped, following = await self._wanted(selection, order, after)
        claimed = [message_id for message_id in wanted if self._claims.claim(message_id)]
        done = await self._to_the_end(self._all_of(claimed, order, selection.chosen))
        return Tallied(done, len(wanted) - done + skipped, following)

    async def _all_of(self, claimed: Sequence[str], order: Order, meant: Meant) -> int:
        try:
            done = await self._act(claimed, order, meant)
        finally:
            for message_id in claimed:
                self._claims.release(message_id)
        self._claims.kick()
        return done

    async def _to_the_end(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for work that no cancellation ends: its commits would come all the same, and nobody would be told."""
        task = asyncio.get_running_loop().create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return await asyncio.shield(task)

    async def count(self, selection: Selection, order: Order, after: str = "") -> Tallied | Answer:
        """Tell what `many` would do, and do nothing."""
        if not self._knows(order.upstream):
            return Answer.NO_SUCH_UPSTREAM
        wanted, skipped, following = await self._wanted(selection, order, after)
        return Tallied(len(wanted), skipped, following)

    def _knows(self, upstream: str) -> bool:
        return not upstream or self._running().upstream(upstream) is not None

    async def _wanted(self, selection: Selection, order: Order, after: str) -> _Wanted:
        """The messages of a page that the order changes, and how many it can only leave alone."""
        page = await self.list(selection, after, MAX_PAGE)
        changed = [one.envelope.id for one in page.messages if self._changes(order, one, selection.chosen) is not None]
        left = len(page.messages) - len(changed) if order.verb is Verb.DROP else 0
        return changed, left, page.following

    def _changes(self, order: Order, stored: Stored | Message, meant: Meant) -> Changes | None:
        return changes(order, stored, meant(stored), self._settings(stored), self._clock())

    def _settings(self, stored: Stored | Message) -> Settings:
        """The settings of each recipient's route; to count without the head of a message, those of the relay do."""
        running = self._running()
        if running.routes.only is not None or not isinstance(stored, Message):
            return lambda _: running.config.queue
        traits, recipients = Traits(stored.envelope, stored.head), stored.envelope.recipients
        return lambda index: running.routes.of(traits, recipients[index]).queue

    async def _act(self, ids: Iterable[str], order: Order, meant: Meant) -> int:
        """Read claimed messages anew, change them, and write it down; the number of those that were changed."""
        chosen = [one for message_id in ids if (one := await self._chosen(message_id, order, meant))]
        if order.verb is Verb.BOUNCE:
            # All at once, for each waits for a sync of the disk.
            await asyncio.gather(*[self._journal.report(one.before, one.changes) for one in chosen])
        results = await asyncio.gather(*[self._store(one, order) for one in chosen], return_exceptions=True)
        for one, result in zip(chosen, results, strict=True):
            if result is None:
                self._journal.done(order, one.before, one.changes)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(chosen)

    async def _chosen(self, message_id: str, order: Order, meant: Meant) -> _Chosen | None:
        message = await self._spool.load(message_id)
        changed = self._changes(order, message, meant) if message else None
        if message is None or changed is None:
            return None
        # A report repeats the head of its message; the bytes of the others are let go one by one.
        head = message.head if order.verb is Verb.BOUNCE else b""
        return _Chosen(Message(message.envelope, head, _NO_BYTES, message.progress), changed)

    def _store(self, chosen: _Chosen, order: Order) -> "asyncio.Future[None]":
        if order.verb is Verb.DROP:
            return self._spool.remove(chosen.before.id)
        return self._spool.update(chosen.after)
