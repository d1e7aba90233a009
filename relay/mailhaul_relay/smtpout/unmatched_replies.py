"""Counts and tells the replies of one upstream that no row of the table of replies knows, so that the table may grow.

`pool` has one for mail, `queue.prober` one for probes; `queue.reply_book` keeps what `saw` is given. Cannot fail.
"""

from collections.abc import Callable, Iterable

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Outcome, Verdict
from mailhaul_relay.policy.unmatched import Kind
from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.reply_shape import reply_shape
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import UpstreamTally


class UnmatchedReplies:
    """`saw` hears of each such reply, in words of no mail."""

    def __init__(self, upstream: Upstream, tally: UpstreamTally, log: Log) -> None:
        self._upstream, self._tally, self._log = upstream, tally, log
        self.saw: Callable[[Kind], None] = lambda _: None

    def count(self, outcomes: Iterable[Outcome | None], context: Context) -> None:
        """Note those of a conversation's outcomes that a code class decided; the same reply to several is one."""
        unmatched = {
            one for one in outcomes if one and one.reply and not one.rule and one.verdict is not Verdict.DELIVERED
        }
        self._tally.unmatched_replies += len(unmatched)
        for one in unmatched:
            if one.reply is not None:
                words = reply_shape(one.reply.text, context)
                self.saw(Kind.of(self._upstream.profile, one, one.reply, words))
            self._log.event(
                "reply-unmatched",
                level="warning",
                upstream=self._upstream.name,
                profile=self._upstream.profile,
                stage=one.stage.value,
                reply=one.text,
            )
