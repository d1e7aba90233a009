"""The queue: accepts through the spool, keeps a bounded set of messages in work, and brings back what falls due.

`smtpin` sees it as `Intake`, `http` as `Claims`, `app` starts, reloads and stops it. An accepted message goes straight
into work while there is room; everything else waits in the spool and is loaded by `scanner` when it falls due.
Failures: a store that cannot write is tried again while the message stays claimed, so nothing is sent twice for it;
an error of ours keeps the message and tries it later.
"""

import asyncio
from collections.abc import Callable

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.route_admission import defer_held
from mailhaul_relay.policy.running import Running
from mailhaul_relay.queue.active import ActiveSet
from mailhaul_relay.queue.bouncer import Bouncer
from mailhaul_relay.queue.delivery import FAULT_DELAY, Courier, Worked
from mailhaul_relay.spool.interface import BodyWriter, Place, Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

STORE_RETRY = 1.0
"""Seconds between attempts to store an outcome that the disk refuses."""
STORE_TIME = 3.0
"""Seconds that outcomes get to be stored at a stop."""


class Queue:
    """Owns every accepted message from its commit to its end."""

    def __init__(
        self, running: Callable[[], Running], spool: Spool, courier: Courier, bouncer: Bouncer, log: Log
    ) -> None:
        self.running = running
        self._spool, self._courier, self._bouncer = spool, courier, bouncer
        self._log = log
        self.active = ActiveSet()
        self.left_behind = True
        """Whether stored mail may be due that is not in work; the scanner finds out."""
        self.stale: set[str] | None = None
        """While the scanner reads: the messages that have left meanwhile, so that what it read of them is old."""
        self.on_room: Callable[[], None] = lambda: None
        """Called when there is cause to look into the spool."""
        self.on_later: Callable[[float], None] = lambda _: None
        """Called with the time (epoch seconds) at which a message that was worked on is due again."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def over_watermark(self) -> bool:
        """Whether so much waits that no more mail is taken (452 4.3.1)."""
        counts = self._spool.counts()
        return counts.queued + counts.deferred + counts.held >= self.running().config.queue.high_watermark

    def deferral(self, message: Message) -> Reply | None:
        """Tell why a message is to come again later: its route would hold it, and is configured not to."""
        running = self.running()
        if not running.routes.defers:
            return None
        return defer_held(running, message.envelope, message.head, self._courier.views(), self._courier.clock())

    def new_body(self) -> BodyWriter:
        """Give a writer for the body of a message that comes in."""
        return self._spool.new_body()

    def accept(self, message: Message) -> "asyncio.Future[None]":
        """Make a message durable; its future resolves after the commit, and only then may 250 be said."""
        stored = self._spool.accept(message)
        stored.add_done_callback(lambda done: self._accepted(message, done))
        return stored

    def _accepted(self, message: Message, stored: "asyncio.Future[None]") -> None:
        if not stored.cancelled() and stored.exception() is None and not self.begin(message):
            self.left_behind = True

    def begin(self, message: Message) -> bool:
        """Take a stored message into work; False when there is no room, it is in work already, or we stop."""
        if self._courier.stopping or not self.active.add(message):
            return False
        # Asking for the running loop is a system call in Python 3.11.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        self._tasks[message.id] = loop.create_task(self._attend(message))
        return True

    def claim(self, message_id: str) -> bool:
        """Keep a message from being worked on until `release`; False when it is being worked on or claimed now."""
        return self.active.claim(message_id)

    def release(self, message_id: str) -> None:
        """Give a claimed message back; what a scan read of it before is stale."""
        self._let_go(message_id)

    @property
    def courier(self) -> Courier:
        """Who knows the upstreams."""
        return self._courier

    def kick(self) -> None:
        """Look for due mail now."""
        self.left_behind = True
        self.on_room()

    async def stop(self, grace: float) -> None:
        """Begin nothing more, give what is under way `grace` seconds, then leave it to the next start."""
        await self._courier.stop(grace)
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()), timeout=STORE_TIME)

    async def _attend(self, message: Message) -> None:
        try:
            worked = await self._courier.work(message)
            if worked.message is not message:
                await self._report(worked)
                await self._store(worked.message, worked.place)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must not spin
            self._courier.account.internal_error(message.id, error)
            await asyncio.sleep(FAULT_DELAY)
        finally:
            del self._tasks[message.id]
            self._let_go(message.id)

    def _let_go(self, message_id: str) -> None:
        self.active.discard(message_id)
        if self.stale is not None:
            self.stale.add(message_id)
        if self.left_behind:
            self.on_room()

    async def _report(self, worked: Worked) -> None:
        try:
            await self._bouncer.report(worked)
        except Exception as error:  # noqa: BLE001 - without it what was delivered would be sent again
            self._courier.account.internal_error(worked.message.id, error)

    async def _store(self, message: Message, place: Place | None) -> None:
        """Store what became of a message, again and again while the disk refuses: it stays claimed meanwhile."""
        while True:
            try:
                await (self._spool.update(message, place) if _is_kept(message) else self._spool.remove(message.id))
            except SpoolError as error:
                self._log.event("store-refused", level="error", id=message.id, reason=str(error))
                await asyncio.sleep(STORE_RETRY)
            else:
                self.on_later(place.until if place else message.due)
                return


def _is_kept(message: Message) -> bool:
    """Open recipients and dead letters keep a message; delivered ones do not."""
    return any(one.state is not State.DELIVERED for one in message.progress)
