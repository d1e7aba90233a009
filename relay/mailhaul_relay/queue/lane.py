"""The way to one upstream: so many transactions at once, no faster than its rate limit, less while it asks for less.

`ways` hands transmissions in; a `Transport` of `smtpout` carries them. While a transmission waits for its turn the
upstream's breaker may open, or the lane stop: it is then given back untried. A lane that replaces another one to the
same server has its slots, so that what is under way there counts until it ends. Failures are outcomes.
"""

import asyncio
from collections.abc import Callable

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.policy.tempo import Tempo
from mailhaul_relay.queue.crowd import Crowd, Share
from mailhaul_relay.queue.pace import Pace
from mailhaul_relay.queue.slots import Slots
from mailhaul_relay.smtpout.interface import Transport


class Lane:
    """Slots, pace and transport of one upstream; `before` is the lane that it replaces, which is stopped next."""

    def __init__(self, upstream: Upstream, transport: Transport, before: "Lane | None" = None) -> None:
        self.transport = transport
        self._most = upstream.connections.max
        self.slots: Slots = before.slots if before else Slots(self._most)
        self.slots.resize(self._most)
        self.pace: Pace = Pace(upstream.rate_limit, before.pace if before else None)
        self._crowd = Crowd(upstream.connections.max, upstream.rate_limit)
        self._under_way: dict[asyncio.Task[object], float] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False
        self._aborted = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def deliver(self, transmission: Transmission, permits: Callable[[], bool]) -> Delivery | None:
        """Send when it is this transmission's turn; None when it was not begun, or was cut off by `abort`."""
        octets = len(transmission.head) + len(transmission.body.data or b"")
        party = transmission.party
        reserved = self._crowd.enter(octets, party)
        try:
            await self.slots.take(party)
            try:
                if self.pace.is_limited:
                    await self.pace.turn()
                if self._stopped or not permits():
                    return None
                return await self._carry(transmission)
            finally:
                self.slots.give_back(party)
        finally:
            self._crowd.leave(octets, party, reserved=reserved)

    def keep_free_beyond(self, common: Share) -> None:
        """Reckon that what comes beyond this is in the reserve from now on."""
        self._crowd.common = common

    def crowding(self, share: Share) -> frozenset[str] | None:
        """Who waits in the spool while it is crowded: those who have much of what is here; everybody (None) when the
        whole share is taken.
        """
        return self._crowd.crowding if self._crowd.has_room(share) else None

    def keep_to(self, tempo: Tempo) -> None:
        """Use this part of the connections and of the rate from now on; what is under way goes on. Once it has stopped
        the slots may be another lane's, and nothing begins that could be slowed.
        """
        if self._stopped:
            return
        connections = tempo.connections(self._most)
        self.pace.level = tempo.level
        self._crowd.pace(connections, tempo.level)
        self.slots.resize(connections)
        self.transport.use_at_most(connections)

    def room(self, share: Share) -> int:
        """How many more messages may come within a share."""
        return self._crowd.room(share)

    def wait(self, share: Share) -> float:
        """Seconds after which one more may come back, 0 when it may come now."""
        if self._crowd.has_room(share):
            return 0.0
        began = next(iter(self._under_way.values()), None)
        oldest = 0.0 if began is None else asyncio.get_running_loop().time() - began
        return self._crowd.wait(share, oldest)

    async def _carry(self, transmission: Transmission) -> Delivery | None:
        # Asking for the running loop is a system call in Python 3.11.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None, "a lane is used from a task"
        began = self._under_way[task] = loop.time()
        self._idle.clear()
        try:
            return await self.transport.deliver(transmission)
        except asyncio.CancelledError:
            if not self._aborted:
                raise
            return None
        finally:
            del self._under_way[task]
            self._crowd.took(loop.time() - began)
            if not self._under_way:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    def stop(self) -> None:
        """Begin no further transmission; those under way go on."""
        self._stopped = True
        self.pace.release()

    def abort(self) -> None:
        """Cut off what is under way: before the final dot nothing was sent, after it the outcome is unknown."""
        self._aborted = True
        for task in tuple(self._under_way):
            task.cancel()
