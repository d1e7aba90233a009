"""Makes waiting messages due, a chunk in each transaction so that others are served in between.

`sqlite` submits chunks one after the other; they run in the writer's thread.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from mailhaul_relay.model.message import Progress, State
from mailhaul_relay.spool.codec import BITS, Unreadable, decode_envelope, decode_progress, encode_progress, mask
from mailhaul_relay.spool.interface import Meant
from mailhaul_relay.spool.operations import Effect
from mailhaul_relay.spool.rows import Fate
from mailhaul_relay.spool.store import Store

_CHUNK = 200
_PASSED = 2000
"""Messages of one transaction, and those that it looks at to find them."""


class WakeChunk:
    """Some messages after an id. Afterwards `last` is where the next chunk goes on, None when there is none."""

    def __init__(self, states: AbstractSet[State], now: float, after: str, meant: Meant | None = None) -> None:
        self._states = states
        self._now = now
        self._after = after
        self._meant = meant
        self.last: str | None = None

    def run(self, store: Store) -> Effect:
        """Wake a chunk in the open transaction; the result is the number of messages. Unreadable ones are left."""
        effect = Effect()
        bits = sum(BITS[state] for state in self._states)
        found = store.open_in(bits, self._after, _PASSED)[: _CHUNK + 1]
        self.last = store.after(self._after, _PASSED)
        if len(found) > _CHUNK:
            found.pop()
            self.last = found[-1][0]
        for id, envelope, progress in found:  # noqa: A001 - the column's own word
            try:
                recipients = len(decode_envelope(id, envelope).recipients)
                known = decode_progress(progress, recipients)
            except Unreadable:
                continue
            if not any(map(self._is_meant, known)):
                continue
            awake = tuple(map(self._wake, known))
            due = min(one.due for one in awake if one.is_open)
            effect.changes += store.update([Fate(id, due, mask(awake), encode_progress(awake))])
            effect.result += 1
        return effect

    def _wake(self, one: Progress) -> Progress:
        return replace(one, due=self._now) if self._is_meant(one) and one.due > self._now else one

    def _is_meant(self, one: Progress) -> bool:
        if not one.is_open or one.state not in self._states or one.is_on_hold:
            return False
        return self._meant is None or self._meant(one)
