"""The way to one upstream: so many transactions at once, no faster than its rate limit.

`ways` hands transmissions in; a `Transport` of `smtpout` carries them. While a transmission waits for its turn the
upstream's breaker may open, or the lane stop: it is then given back untried. Failures are outcomes.
"""

import asyncio
from collections.abc import Callable

from mailhaul_contract.config import Upstream
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.queue.pace import Pace
from mailhaul_relay.smtpout.interface import Transport


class Lane:
    """Slots, pace and transport of one upstream."""

    def __init__(self, upstream: Upstream, transport: Transport) -> None:
        self.transport = transport
        self._slots = asyncio.Semaphore(upstream.connections.max)
        self._pace = Pace(upstream.rate_limit)
        self._under_way: set[asyncio.Task[object]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped = False
        self._aborted = False

    async def deliver(self, transmission: Transmission, permits: Callable[[], bool]) -> Delivery | None:
        """Send when it is this transmission's turn; None when it was not begun, or was cut off by `abort`."""
        async with self._slots:
            await self._pace.turn()
            if self._stopped or not permits():
                return None
            return await self._carry(transmission)

    async def _carry(self, transmission: Transmission) -> Delivery | None:
        task = asyncio.current_task()
        assert task is not None, "a lane is used from a task"
        self._under_way.add(task)
        self._idle.clear()
        try:
            return await self.transport.deliver(transmission)
        except asyncio.CancelledError:
            if not self._aborted:
                raise
            return None
        finally:
            self._under_way.discard(task)
            if not self._under_way:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    def stop(self) -> None:
        """Begin no further transmission; those under way go on."""
        self._stopped = True
        self._pace.release()

    def abort(self) -> None:
        """Cut off what is under way: before the final dot nothing was sent, after it the outcome is unknown."""
        self._aborted = True
        for task in tuple(self._under_way):
            task.cancel()
