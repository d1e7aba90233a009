"""Where queue commands are written down: log, counters, the message's history; and the report of a mail given up.

`commands` calls it around each change. Failures: none; a report that the spool refuses is logged (`bouncer`).
"""

from dataclasses import dataclass

from mailhaul_relay.model.message import Message, Progress
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.account import Account
from mailhaul_relay.queue.bouncer import Bouncer
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.delivery import Worked
from mailhaul_relay.queue.orders import Order, Verb
from mailhaul_relay.queue.rounds import Change
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

_EVENTS = {
    Verb.RETRY: "queue-retried",
    Verb.HOLD: "queue-held",
    Verb.RELEASE: "queue-released",
    Verb.MOVE: "queue-moved",
    Verb.BOUNCE: "queue-bounced",
    Verb.DROP: "queue-dropped",
}
_ENDS = frozenset({Verb.BOUNCE, Verb.DROP})


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything that hears of what people do with mail."""

    tally: Tally
    log: Log
    chronicle: Chronicle
    account: Account
    bouncer: Bouncer
    clock: Clock

    async def report(self, message: Message, given_up: dict[int, Progress]) -> None:
        """Report recipients (by index) that are given up to the sender, where the configuration says so."""
        await self.bouncer.report(Worked(message, tuple(_changes(given_up))))

    def done(self, order: Order, message: Message, changed: dict[int, Progress]) -> None:
        """Write down what was done with a message as it was before."""
        level = "warning" if order.verb in _ENDS else "info"
        named = {"sender": message.envelope.sender, "recipients": [one.final for one in message.envelope.recipients]}
        told = named if order.verb is Verb.DROP else {}
        self.log.event(_EVENTS[order.verb], level=level, id=message.id, upstream=order.upstream or None, **told)
        self.chronicle.note(message, order.verb.value, order.upstream)
        if order.verb is Verb.DROP:
            self.tally.dropped += 1
        elif order.verb is Verb.BOUNCE:
            self.account.settled(message, _changes(changed), self.clock())


def _changes(given_up: dict[int, Progress]) -> list[Change]:
    return [
        Change(index, "", one, Outcome(Verdict.FAILED, Stage.RELAY, Fault.OPERATOR, detail=one.text))
        for index, one in given_up.items()
    ]
