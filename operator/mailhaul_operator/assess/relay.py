"""`assess_relay`: what is so of an SmtpRelay, from everything that is known at one moment.

An ordered chain of checks, the most basic first; each gives a condition and causes. `ready` sums the causes up,
`progress` says whether it is work or failure. Called by `reconcile` after the replicas were asked. Pure: equal worlds
give equal statuses, and time alone changes nothing but at a threshold.
"""

from collections.abc import Callable
from typing import Final

from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.assess.checks.client_identity import client_identity
from mailhaul_operator.assess.checks.config_applied import config_applied
from mailhaul_operator.assess.checks.delivering import delivering
from mailhaul_operator.assess.checks.leaving import leaving
from mailhaul_operator.assess.checks.obstacles import obstacles
from mailhaul_operator.assess.checks.queue_durable import queue_durable
from mailhaul_operator.assess.checks.queue_healthy import queue_healthy
from mailhaul_operator.assess.checks.upstreams_ready import upstreams_ready
from mailhaul_operator.assess.drafts import UNKNOWN, Draft
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.numbers import numbers
from mailhaul_operator.assess.progress import progress
from mailhaul_operator.assess.ready import ready
from mailhaul_operator.assess.reasons import Reason, reason_of
from mailhaul_operator.assess.view import RelayView

CHAIN: Final[tuple[Callable[[RelayFacts], Aspect], ...]] = (
    obstacles,
    config_applied,
    upstreams_ready,
    delivering,
    queue_healthy,
    queue_durable,
    client_identity,
    leaving,
)
"""In the order in which causes are told."""
REPORTED: Final = frozenset({"UpstreamsReady", "Delivering", "QueueHealthy"})
"""Conditions that only reports can tell."""


def assess_relay(view: RelayView) -> SmtpRelayStatus:
    """Give the whole status; the previous one is in `view.relay.status`."""
    facts = RelayFacts(view)
    aspects = [check(facts) for check in CHAIN]
    causes = tuple(cause for one in aspects for cause in one.causes)
    summary = ready(facts, causes)
    told = [_as_known(one.draft, facts) for one in aspects if one.draft]
    drafts = (summary, *told, *progress(causes, summary, facts.stamp))
    return numbers(facts).model_copy(update={"conditions": facts.stamp.write(drafts)})


def _as_known(new: Draft, facts: RelayFacts) -> Draft:
    """While no replica answers, what was known of queue and delivery stands; before the first answer it is unknown."""
    if facts.reports or new.type not in REPORTED or (new.type == "UpstreamsReady" and new.status != "True"):
        return new
    before = facts.stamp.before.get(new.type)
    if before is None:
        return Draft(new.type, UNKNOWN, Reason.AWAITING_REPORT, Reason.AWAITING_REPORT.meaning)
    return Draft(before.type, before.status, reason_of(before.reason), before.message)
