"""Which of several operators acts: one holder of a Lease, and never two at a time.

A holder that cannot renew within `deadline` stops; another may take over only after it has seen the Lease unchanged for
the longer `duration`. Each side measures on its own clock, which goes on while a process is frozen, so clocks need not
agree and a process that was stopped for a minute knows that its time is over. `serve` acquires before anything starts;
`api_client` refuses writes unless `held`. Failures: `LeaseLost` from `keep`; a store that fails is tried again.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class LeaseLost(Exception):  # noqa: N818 - the name of the fact
    """Somebody else holds the Lease, or it could not be renewed in time: stop at once."""


class StoreError(Exception):
    """The Lease could not be read or written; the words say why."""


@dataclass(frozen=True, slots=True)
class Record:
    """The Lease as stored: who holds it ("" for nobody), when it was last renewed (text, only compared), how often it
    changed hands, and the stored object's version, "" for none yet.
    """

    holder: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""


class LeaseStore(Protocol):
    """Where the Lease is kept. Both raise StoreError."""

    async def read(self) -> Record:
        """Give the Lease; an empty Record when there is none."""

    async def write(self, holder: str, after: Record) -> Record | None:
        """Write holder and time; give what is stored now, or None when it is no longer `after`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """In seconds: for how long others leave the Lease alone, after which time without a renewal its holder stops, how
    often it is renewed or looked at, and how long one request may take.
    """

    duration: float = 15
    deadline: float = 10
    retry: float = 2
    request: float = 4


def boot_clock() -> float:
    """Seconds since the machine's start, also while it was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """One candidate."""

    def __init__(
        self,
        store: LeaseStore,
        identity: str,
        terms: Terms = Terms(),
        clock: Callable[[], float] = boot_clock,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if terms.deadline >= terms.duration:
            raise ValueError("deadline: a holder has to stop before another may start; make it less than duration")
        self._store, self.identity, self._terms, self._clock, self._tell = store, identity, terms, clock, tell
        self._record = Record()
        self._seen = clock()
        self._until: float | None = None

    def held(self) -> bool:
        """Whether this process may write at this moment."""
        return self._until is not None and self._clock() < self._until

    async def acquire(self) -> None:
        """Wait until this process holds the Lease."""
        told = ""
        while not await self._attempt():
            holder = self._record.holder
            if holder != told:
                self._tell(f"the lease is held by {holder}")
                told = holder
            await asyncio.sleep(self._terms.retry)

    async def keep(self) -> None:
        """Renew for as long as it goes well; raises LeaseLost."""
        while True:
            await asyncio.sleep(self._terms.retry)
            await self._attempt()
            if not self.held():
                self._until = None
                raise LeaseLost(f"the lease could not be renewed in time; its holder is {self._record.holder!r}")

    async def release(self) -> None:
        """Give it up, so that another need not wait; nothing may be written after this."""
        if not self.held():
            return
        self._until = None
        try:
            async with asyncio.timeout(self._terms.request):
                await self._store.write("", self._record)
        except (StoreError, TimeoutError) as error:
            self._tell(f"the lease could not be released: {error}")

    async def _attempt(self) -> bool:
        """Take or renew it once; a failed attempt leaves a held Lease held until its deadline."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._terms.request):
                return await self._take(began)
        except (StoreError, TimeoutError) as error:
            self._tell(f"the lease could not be read or written: {str(error) or 'no answer in time'}")
            return False

    async def _take(self, began: float) -> bool:
        self._look(await self._store.read())
        if self._record.holder not in {"", self.identity}:
            self._until = None
            if self._clock() - self._seen < self._terms.duration:
                return False
        written = await self._store.write(self.identity, self._record)
        if written is None:
            return False
        self._look(written)
        self._until = began + self._terms.deadline
        return True

    def _look(self, record: Record) -> None:
        """Remember the record, and when it was first seen so."""
        if (record.holder, record.renewed) != (self._record.holder, self._record.renewed):
            self._seen = self._clock()
        self._record = record
