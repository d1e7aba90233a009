"""Works on one message: round by round through its candidates, until every due recipient is settled for now.

`engine` calls it in a task of the message's own; `rounds` keeps the books, `ways` carry the transmissions, `account`
counts and logs. Failures of upstreams are outcomes; anything else that is raised is a fault of ours, and `engine`
keeps the message.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mailhaul_relay.model.message import Message
from mailhaul_relay.policy.routing import UpstreamView
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.chance import Chance
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.account import Account
from mailhaul_relay.queue.rounds import Batch, Change, Round
from mailhaul_relay.queue.ways import Ways
from mailhaul_relay.spool.interface import Place

MAX_ROUNDS = 50
"""More rounds than a relay has candidates; a bound, so that no fault of ours can become a busy loop."""
FAULT_DELAY = 60.0
"""Seconds until a message is tried again after an error of ours."""


class EndlessError(Exception):
    """A message had more rounds than a relay has candidates."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A message after its round, what was settled in it, and where it waits when it awaits upstreams."""

    message: Message
    changes: tuple[Change, ...]
    place: Place | None = None


class Outlook(NamedTuple):
    """What would become of a stored message now. `blocked`: no upstream takes it, and this is all that there is to
    store. `room_awaited` is where it may wait for room in the queue, had it none now.
    """

    blocked: Worked | None = None
    room_awaited: Place | None = None


class Courier:
    """Carries messages to upstreams."""

    def __init__(
        self, ways: Ways, running: Callable[[], Running], account: Account, clock: Clock, chance: Chance
    ) -> None:
        self.account, self.clock = account, clock
        self._ways, self._running, self._chance = ways, running, chance
        self.stopping = False
        ways.on_error = account.internal_error

    async def work(self, message: Message) -> Worked:
        """Try every due recipient at its candidates. At a stop, what is not under way is left as it was."""
        rounds = Round(message, self._running(), self.clock(), self._chance)
        try:
            for _ in range(MAX_ROUNDS):
                # Nobody wakes mail that is in work, so it sees a change by itself.
                rounds.follow(self._running())
                batches = [] if self.stopping else rounds.next_batches(self._ways.views, self.clock())
                if not batches:
                    break
                await (self._send(rounds, batches[0]) if len(batches) == 1 else self._send_all(rounds, batches))
            else:
                raise EndlessError
        except Exception as error:  # noqa: BLE001 - whatever it is, the message must neither vanish nor spin
            self.account.internal_error(message.id, error)
            rounds.postpone(self.clock(), FAULT_DELAY)
        self._settled(rounds)
        return Worked(rounds.message, tuple(rounds.changes), rounds.place())

    def outlook(self, message: Message, seen: Mapping[str, UpstreamView]) -> Outlook:
        """Tell what would become of a stored message with every upstream as it was seen, and do nothing. What it cannot
        tell is for `work` to find out.
        """
        now = self.clock()
        try:
            rounds = Round(message, self._running(), now, self._chance)
            batches = rounds.next_batches(lambda _: seen, now)
        except Exception:  # noqa: BLE001 - a fault of ours, which `work` meets again and tells
            return Outlook()
        if any(not one.progress.is_open for one in rounds.changes):
            return Outlook()
        if batches:
            return Outlook(room_awaited=rounds.room_awaited(batches, now))
        place = rounds.place()
        return Outlook(Worked(rounds.message, tuple(rounds.changes), place)) if place else Outlook()

    def views(self) -> Mapping[str, UpstreamView]:
        """Every upstream as it stands now."""
        return self._ways.views(frozenset())

    @property
    def ways(self) -> Ways:
        """Where mail leaves."""
        return self._ways

    async def stop(self, grace: float) -> None:
        """Begin nothing more; what is under way gets `grace` seconds to end by itself (see `Ways.stop`)."""
        self.stopping = True
        await self._ways.stop(grace)

    def _settled(self, rounds: Round) -> None:
        try:
            self.account.settled(rounds.message, rounds.changes, self.clock())
        except Exception as error:  # noqa: BLE001 - what became of the mail is to be stored all the same
            self.account.internal_error(rounds.message.id, error)

    async def _send_all(self, rounds: Round, batches: list[Batch]) -> None:
        ended = await asyncio.gather(*(self._send(rounds, batch) for batch in batches), return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException):
                raise one

    async def _send(self, rounds: Round, batch: Batch) -> None:
        started = self.clock()
        delivery = await self._ways.deliver(batch.upstream, batch.transmission)
        if delivery is None:
            return
        now = self.clock()
        rounds.apply(batch, delivery.outcomes, now)
        self.account.attempted(rounds.message, batch, delivery, started, now)
