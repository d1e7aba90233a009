"""`QueueDurable`: does mail that waits outlive its pod? False for Ephemeral, a choice that blocks nothing. Pure."""

from typing import Final

from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.drafts import FALSE, TRUE, Draft, draft
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.reasons import Reason

QUEUE_DURABLE: Final = "QueueDurable"


def queue_durable(facts: RelayFacts) -> Aspect:
    """Judge the kind of queue."""
    if not facts.view.ephemeral:
        return Aspect(Draft(QUEUE_DURABLE, TRUE, Reason.DURABLE, Reason.DURABLE.meaning))
    why = Reason.EPHEMERAL
    words = "mail that waits is lost when its pod goes"
    cause = Cause(why, words, why.remedy, "spec.queue.mode", Mender.NOBODY, blocks=False)
    return Aspect(draft(QUEUE_DURABLE, FALSE, cause), (cause,))
