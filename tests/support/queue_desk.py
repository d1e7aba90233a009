"""What queue commands write to, put together for tests: log lines, counters, the history, bounces into the spool."""

from collections.abc import Callable

from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.account import Account
from mailhaul_relay.queue.bouncer import Bouncer
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.journal import Journal
from mailhaul_relay.spool.interface import Spool
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally


def journal_of(spool: Spool, tally: Tally, lines: list[str], running: Callable[[], Running], clock: Clock) -> Journal:
    """A journal over a spool; log lines go to the list, reports are accepted into the spool."""
    log = Log(lines.append)
    chronicle = Chronicle(spool, log, clock)
    bouncer = Bouncer(running, tally, log, clock)
    bouncer.accept = spool.accept
    return Journal(tally, log, chronicle, Account(tally, log, chronicle), bouncer, clock)
