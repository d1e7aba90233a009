"""Brings stored mail into work whenever there is room; a message is never in memory only.

`app` runs it; `engine` tells it of room. Two kinds of mail come: what waits in a place for an upstream that takes mail
again (`returner`), and what is due by its own time. Of the latter it looks at each: what no upstream takes now goes to
its place at once, without an attempt, so that nothing of it is read again before that changes; so does what finds no
room, so that givers and their domains have their turns; for the same reason a long backlog is lined up before that. It
sleeps until something falls due, it is told of room, or a few seconds have passed. A clock that was set back is told,
for all that waits is then to be looked at anew. Failures: a spool that cannot be read or written is tried again after a
pause.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import thread_time

from mailhaul_relay.model.message import Message
from mailhaul_relay.policy.routing import UpstreamView
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.engine import Queue
from mailhaul_relay.queue.patience import SHORTEST, Patience
from mailhaul_relay.queue.places import LINED_UP, awakened
from mailhaul_relay.queue.returner import Returner, Turn
from mailhaul_relay.queue.set_back import SetBack
from mailhaul_relay.spool.interface import Place, Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

AT_MOST = 5.0
"""Seconds between two looks, so that nothing depends on a wake-up alone."""
BATCH = 200
"""Messages that are loaded at once."""
LOOKED_AT = 100
"""Messages that are looked at at once: fewer, for some of them go back."""
_LINED_UP = 2000
"""Due messages that are lined up at each look, for a tenth of what a look at them costs."""
_LINING = 9e-6
"""Seconds that count as decided for each of them, as `patience` reckons: 27 us of CPU."""
_LATEST = 3600.0
"""Seconds after which a message that was lined up is due again, whatever became of its turn."""
_SLICE = 16
"""Messages after which others have their turn."""
_DEAF = 0.05
"""Seconds after a look that found nothing: mail that comes and goes gives cause for a look each time."""


class Scanner:
    """Looks for mail that may come. `kick` makes it look now."""

    def __init__(self, queue: Queue, spool: Spool, clock: Clock, log: Log) -> None:
        self._queue, self._spool = queue, spool
        self._clock, self._log = clock, log
        self._kicked = asyncio.Event()
        self._returner = Returner(spool, queue.courier.ways, clock)
        self._patience = Patience()
        self._deciding = 0.0
        self._stale: set[str] = set()
        self._planned = 0.0
        self._set_back = SetBack(clock)
        self.on_set_back: Callable[[], None] = lambda: None
        """Called when the clock was set back, so that what was to fall due by it would do so much later."""
        queue.on_room, queue.on_later = self.kick, self._sooner

    def kick(self) -> None:
        """Look now."""
        self._kicked.set()

    def _sooner(self, due: float) -> None:
        """Look now, to plan anew, when a message is due before the next look."""
        if due < self._planned:
            self.kick()

    async def run(self) -> None:
        """Look for mail until cancelled."""
        while True:
            self._kicked.clear()
            if seconds := self._set_back.noticed():
                self._log.event("clock-set-back", level="warning", seconds=round(seconds))
                self.on_set_back()
            # Whatever is worked on during a look is not what the look read.
            self._queue.stale = self._stale = set()
            try:
                pause = await self._look()
            except SpoolError as error:
                self._log.event("scan-refused", level="error", reason=str(error))
                pause = AT_MOST
            finally:
                self._queue.stale = None
            if self._deciding:
                await self._patience.rest(self._deciding)
            elif pause <= 0:
                await asyncio.sleep(SHORTEST)
            else:
                await asyncio.sleep(min(_DEAF, pause))
                await self._sleep(pause - _DEAF)

    async def _look(self) -> float:
        """Load what may come and fits; the seconds until the next look, 0 when there is more already."""
        self._deciding = 0.0
        self._queue.left_behind = False
        returned = await self._return()
        due = await self._spool.due(self._clock(), LOOKED_AT, self._queue.active.ids)
        begun = await self._sort(due)
        is_full = len(due) == LOOKED_AT
        if is_full and not self._is_free:
            await self._line_up()
        self._queue.left_behind |= is_full or self._returner.has_more
        if returned or begun:
            return 0.0
        if is_full:
            return AT_MOST
        following = await self._spool.next_due(self._queue.active.ids)
        now = self._clock()
        first = min(self._returner.opens, now + AT_MOST if following is None else following)
        pause = min(AT_MOST, max(_DEAF, first - now))
        self._planned = now + pause
        return pause

    @property
    def _is_free(self) -> bool:
        """Whether mail can begin without a look at it."""
        return bool(self._queue.active.room) and self._queue.courier.ways.is_calm

    async def _line_up(self) -> None:
        """Let much mail that is due take turns: what has been due for longer may be a backlog of one domain."""
        now = self._clock()
        place, in_work = Place(LINED_UP, now + _LATEST), self._queue.active.ids
        self._deciding += _LINING * await self._spool.line_up(now, place, _LINED_UP, in_work)

    async def _return(self) -> int:
        """Begin what waits for upstreams that take mail now; how many messages."""
        count, running = 0, self._queue.running()
        for turn in await self._returner.turns(running, BATCH):
            self._narrow(turn)
            if turn.limit <= 0:
                self._queue.left_behind = True
                continue
            count += await self._bring(turn)
        return count

    def _narrow(self, turn: Turn) -> None:
        """Let no more come than there is room for in the queue; if only those who have few have room, only theirs."""
        active = self._queue.active
        if turn.is_stale:
            turn.limit = min(turn.limit, LOOKED_AT)
        elif active.room:
            turn.limit = min(turn.limit, active.room)
        else:
            self._returner.narrow(turn, active.room_for_few, active.crowding)

    async def _bring(self, turn: Turn) -> int:
        messages = await self._spool.waiting(turn.name, turn.last, turn.limit, self._queue.active.ids)
        self._returner.took(turn, messages)
        now, is_lined_up = self._clock(), turn.name == LINED_UP
        # What was lined up was due, so its recipients keep their times; were none of them due it would stay for ever.
        found = [one if is_lined_up and one.due <= now else awakened(one, now) for one in messages]
        if turn.is_stale:
            return await self._sort(found)
        return sum(self._begin(one) for one in found)

    async def _sort(self, messages: Sequence[Message]) -> int:
        """Begin what can leave and fits, put the rest where it waits; how many were begun."""
        begun, waiting, courier = 0, list[tuple[Message, Place]](), self._queue.courier
        seen = courier.views()
        for index, message in enumerate(messages):
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
                seen = courier.views()
            if self._is_free:
                begun += self._begin(message)
                continue
            since = thread_time()
            blocked = self._where(message, seen)
            if blocked is None:
                begun += self._begin(message)
            else:
                waiting.append(blocked)
                self._deciding += thread_time() - since
        await self._put(waiting)
        return begun

    def _where(self, message: Message, seen: Mapping[str, UpstreamView]) -> tuple[Message, Place] | None:
        """Where a message waits that cannot be begun, and what is stored of it; None when it is to be begun."""
        outlook = self._queue.courier.outlook(message, seen)
        if outlook.blocked is not None and outlook.blocked.place is not None:
            return outlook.blocked.message, outlook.blocked.place
        if outlook.room_awaited is not None and not self._queue.active.fits(message):
            return message, outlook.room_awaited
        return None

    async def _put(self, waiting: Iterable[tuple[Message, Place]]) -> None:
        """Store messages in their places; each is claimed meanwhile. Raises SpoolError."""
        claimed = [one for one in waiting if one[0].id not in self._stale and self._queue.claim(one[0].id)]
        try:
            stored = [self._spool.update(message, place) for message, place in claimed]
            results = await asyncio.gather(*stored, return_exceptions=True)
        finally:
            for message, _ in claimed:
                self._queue.release(message.id)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _begin(self, message: Message) -> bool:
        return message.id not in self._stale and self._queue.begin(message)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._kicked.wait(), seconds)
