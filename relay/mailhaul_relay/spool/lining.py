"""Puts messages that are due into a place as they are, a chunk in each transaction so that others are served between.

`sqlite` submits chunks one after the other; they run in the writer's thread. It reads no more of a message than whose
it is, so it costs a tenth of looking at it.
"""

from mailhaul_relay.spool.codec import Unreadable, decode_envelope
from mailhaul_relay.spool.interface import Place
from mailhaul_relay.spool.operations import Effect
from mailhaul_relay.spool.store import Store

CHUNK = 500
"""Messages of one transaction."""


class LineUpChunk:
    """Those of the messages due at a time that are the longest due. They come into the place at `since`."""

    def __init__(self, now: float, place: Place, since: float, exclude: frozenset[str]) -> None:
        self._now, self._place = now, place
        self._since = since
        self._exclude = exclude

    def run(self, store: Store) -> Effect:
        """Move a chunk in the open transaction; the result is the number of messages. Unreadable ones are left."""
        moved: list[tuple[float, str, str, float, str]] = []
        for id, envelope in store.due(self._now, CHUNK + len(self._exclude)):  # noqa: A001 - the column's own word
            if id in self._exclude or len(moved) == CHUNK:
                continue
            try:
                party = decode_envelope(id, envelope).party
            except Unreadable:
                continue
            moved.append((self._place.until, self._place.awaits, party, self._since, id))
        store.put(moved)
        return Effect(result=len(moved))
