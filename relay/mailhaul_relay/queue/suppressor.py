"""Keeps the suppression list: who failed permanently how often, who is refused until when; over restarts, bounded.

`account` tells it of ends, `http` shows and changes it, `app` puts what refuses now into the running configuration. A
refusal by failures counts only while the configuration has `suppression`; one by hand always. Records lie in the
spool's small states, in 64 shares so that a change writes little, a second after it at most: a crash forgets that
second. At `MOST` addresses the least telling ones make room, but none that a person added. Failures: a store that
refuses is logged and asked again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zlib import crc32

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.domains import display_address
from mailhaul_contract.suppression import Suppression
from mailhaul_relay.policy.suppression import Failure, Record, after_failure, by_hand, key
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

MOST = 10_000
"""Addresses of which something is remembered."""
ROOM = 500
"""How many make room at once."""
INTERVAL = 1.0
"""Seconds between two looks for what is to be stored."""
SWEEP = 60.0
"""Seconds between two looks for what has ended."""
_PREFIX = "suppression/"
_SHARES = 64
_YEAR = 31_536_000.0


class Suppressor:
    """The list. `rules` gives the configured ones, None while failures suppress nobody; `on_change` is called when
    somebody else is refused than before.
    """

    def __init__(self, spool: Spool, rules: Callable[[], Suppression | None], log: Log, clock: Clock) -> None:
        self._spool, self._rules, self._log, self._clock = spool, rules, log, clock
        self.on_change: Callable[[], None] = lambda: None
        self.spared: Callable[[], Iterable[str]] = tuple
        """Addresses that failures never suppress: archives."""
        self.begun = 0
        """How many refusals failures have begun since the start."""
        self._records: dict[str, Record] = {}
        self._dirty: set[int] = set()
        self._moved = False
        self._shown = 0
        self._swept = 0.0
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Read what an earlier process remembered. Raises SpoolError."""
        for name, share in (await self._spool.remembered()).items():
            if name.startswith(_PREFIX):
                found = {address: Record.from_json(data) for address, data in share.items()}
                self._records |= {address: one for address, one in found.items() if one is not None}

    def refusing(self) -> Mapping[str, Record]:
        """Give the records that refuse now, as a value that does not change."""
        now, automatic = self._clock(), self._rules() is not None
        found = {name: one for name, one in self._records.items() if one.refuses(now) and (automatic or one.by_hand)}
        self._shown = len(found)
        return found

    def listed(self, text: str, after: str, limit: int) -> list[tuple[str, Record]]:
        """Give addresses that are refused now and contain a text, in order, greater than `after`."""
        found = self.refusing()
        wanted = key(text)
        names = sorted(
            name for name in found if name > after and (wanted in name or wanted in key(display_address(name)))
        )
        return [(name, found[name]) for name in names[:limit]]

    def failed(self, address: str, upstream: str, words: str) -> None:
        """A recipient failed permanently."""
        rules = self._rules()
        if rules is None:
            return
        name, now = key(address), self._clock()
        if name in map(key, self.spared()):
            return
        before = self._records.get(name) or Record()
        after = after_failure(before, Failure(now, upstream, words), rules)
        if self._put(name, after) and after.refuses(now) and not before.refuses(now):
            self.begun += 1
            self._moved = True
            self._log.event(
                "suppressed",
                level="warning",
                recipient=address,
                until=after.until,
                upstream=upstream,
                reply=after.words,
            )

    def delivered(self, address: str) -> None:
        """A recipient has got mail: what failed before does not count. A person's word still does."""
        if not self._records:
            return
        name = key(address)
        record = self._records.get(name)
        if record is not None and not record.by_hand:
            self._drop(name)
            self._moved = True

    def add(self, address: str, words: str, seconds: float) -> bool:
        """Refuse an address from now on, by a person's word; False when the list is full of such words."""
        now = self._clock()
        if not self._put(key(address), by_hand(words, now, now + min(seconds, _YEAR))):
            return False
        self._log.event("suppression-added", recipient=address, seconds=seconds)
        self.on_change()
        return True

    def release(self, addresses: Iterable[str]) -> list[str]:
        """Take mail to these addresses again, and forget their failures; gives those that were refused."""
        now = self._clock()
        names = dict.fromkeys(map(_known_as, addresses))
        released = [name for name in names if (one := self._records.get(name)) is not None and one.refuses(now)]
        for name in names:
            self._drop(name)
        for name in released:
            self._log.event("suppression-released", recipient=name)
        self.on_change()
        return released

    async def run(self) -> None:
        """Store and publish what changed, and sweep what has ended, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            if self._moved:
                self._moved = False
                self.on_change()
            await self.flush()

    async def flush(self) -> None:
        """Store what changed."""
        async with self._lock:
            self._sweep()
            for share in sorted(self._dirty):
                self._dirty.discard(share)
                try:
                    await self._spool.remember(f"{_PREFIX}{share:02}", self._share(share))
                except SpoolError as error:
                    self._dirty.add(share)
                    self._log.event("store-refused", level="error", what="suppression", reason=str(error))
                    return

    def _share(self, share: int) -> dict[str, Any]:
        return {name: one.to_json() for name, one in self._records.items() if _share_of(name) == share}

    def _sweep(self) -> None:
        now = self._clock()
        if now - self._swept < SWEEP:
            return
        self._swept = now
        within = rules.within if (rules := self._rules()) else _YEAR
        for name in [name for name, one in self._records.items() if one.is_spent(now, within)]:
            self._drop(name)
        if self._shown:
            before = self._shown
            self._moved = self._moved or len(self.refusing()) != before

    def _put(self, name: str, record: Record) -> bool:
        """Keep a record, where there is room for it."""
        if name not in self._records and len(self._records) >= MOST and not self._make_room():
            return False
        self._records[name] = record
        self._dirty.add(_share_of(name))
        return True

    def _make_room(self) -> bool:
        """Those go first that refuse nobody, then those that would end first; never one that a person wants refused."""
        now = self._clock()
        free = [name for name, one in self._records.items() if not (one.by_hand and one.refuses(now))]
        order = sorted(free, key=lambda name: (self._records[name].until, self._records[name].failures))[:ROOM]
        for name in order:
            self._drop(name)
        if order:
            self._log.event("suppression-full", level="warning", addresses=MOST, forgotten=len(order))
        return bool(order)

    def _drop(self, name: str) -> None:
        if self._records.pop(name, None) is not None:
            self._dirty.add(_share_of(name))


def _known_as(address: str) -> str:
    """The key of an address as a person writes it: with U-labels, or as the list shows it."""
    try:
        return key(str(Address.parse(address)))
    except AddressError:
        return key(address)


def _share_of(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) % _SHARES
