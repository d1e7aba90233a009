"""Reports failed mail to its sender, when the relay is configured to, as a message of the relay's own.

`engine` calls it before it stores the dead letter, so that a crash between the two repeats a report and never loses
it. What is reported and to whom is decided by `policy.bounces`. Failures: a report that the spool refuses is logged;
the dead letter itself tells the story.
"""

from collections.abc import Awaitable, Callable

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.policy.bounces import bounce
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.chance import message_id
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.delivery import Worked
from mailhaul_relay.queue.rounds import Change
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally


class Bouncer:
    """Makes bounces. `accept` is the queue's own, set once both exist."""

    def __init__(self, running: Callable[[], Running], tally: Tally, log: Log, clock: Clock) -> None:
        self._running, self._tally, self._log, self._clock = running, tally, log, clock
        self.accept: Callable[[Message], Awaitable[None]] | None = None

    async def report(self, worked: Worked) -> None:
        """Send a bounce for the recipients that died in this round, where one is due."""
        failed = {one.index: _why(one) for one in worked.changes if one.progress.state is State.DEAD}
        if not failed or self.accept is None:
            return
        now = self._clock()
        message = bounce(self._running(), worked.message, failed, message_id(now), now)
        if message is None:
            return
        try:
            await self.accept(message)
        except SpoolError as error:
            self._log.event("bounce-refused", level="error", id=worked.message.id, reason=str(error))
            return
        self._tally.bounces += 1
        self._log.event("bounced", id=worked.message.id, bounce=message.id, to=message.envelope.recipients[0].final)


def _why(change: Change) -> Outcome:
    """The outcome that ended it; mail that expired while it waited has only its progress."""
    progress = change.progress
    return change.outcome or Outcome(Verdict.FAILED, Stage.RELAY, Fault.EXPIRED, detail=progress.text)
