"""Drops dead letters that were kept for as long as the configuration says; each is logged and counted.

`app` runs it. A dead letter's time counts from when its last recipient failed; a message with a recipient that still
waits is left alone, and one that a command works on at that moment until the next look. Failures: a spool that refuses
is logged; the next look tries again.
"""

import asyncio
from collections.abc import Callable

from mailhaul_relay.model.message import Body, Message, State
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.commands import Claims
from mailhaul_relay.spool.interface import Spool, SpoolError, Stored
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

INTERVAL = 300.0
"""Seconds between two looks."""
PAGE = 200


class Pruner:
    """Looks for dead letters whose time is over. `keep_for` gives the seconds that they are kept."""

    def __init__(self, spool: Spool, claims: Claims, chronicle: Chronicle, tally: Tally, log: Log) -> None:
        self._spool, self._claims = spool, claims
        self._chronicle, self._tally, self._log = chronicle, tally, log

    async def run(self, running: Callable[[], Running], clock: Clock) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look(running().config.queue.dead_letters.keep_for, clock())
            except SpoolError as error:
                self._log.event("store-refused", level="error", what="dead letters", reason=str(error))
            await asyncio.sleep(INTERVAL)

    async def look(self, keep_for: float, now: float) -> int:
        """Drop what is over; the number of messages. Raises SpoolError. Ids go by time, so the first message that
        cannot be old enough ends the look.
        """
        dropped, after = 0, ""
        while True:
            page = await self._spool.list([State.DEAD], after, PAGE)
            for one in page:
                if one.envelope.accepted > now - keep_for:
                    return dropped
                if _is_over(one, now - keep_for):
                    dropped += await self._drop(one)
            if len(page) < PAGE:
                return dropped
            after = page[-1].envelope.id

    async def _drop(self, one: Stored) -> int:
        message_id = one.envelope.id
        if not self._claims.claim(message_id):
            return 0
        try:
            # A retry may have given it a new life since the page was read.
            message = await self._spool.load(message_id)
            if message is None or any(fate.is_open for fate in message.progress):
                return 0
            await self._spool.remove(message_id)
        finally:
            self._claims.release(message_id)
        self._tally.pruned += 1
        self._chronicle.note(Message(message.envelope, b"", Body(0, b""), message.progress), "prune")
        recipients = [recipient.final for recipient in message.envelope.recipients]
        self._log.event("dead-letter-pruned", id=message_id, sender=message.envelope.sender, recipients=recipients)
        return 1


def _is_over(stored: Stored, before: float) -> bool:
    if any(one.is_open for one in stored.progress):
        return False
    return all(one.changed <= before for one in stored.progress if one.state is State.DEAD)
