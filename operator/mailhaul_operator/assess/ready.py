"""`Ready` of a relay: mail leaves. False with the first cause that keeps it from leaving, Unknown while nobody knows.

Green is a measured fact: an upstream has answered with the settings in use, and nothing stands in the way. Pure.
"""

from collections.abc import Sequence

from mailhaul_operator.api.relay_delivery import DeliveryMode
from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.checks.failing import has_failed
from mailhaul_operator.assess.drafts import FALSE, READY, TRUE, UNKNOWN, Draft, draft
from mailhaul_operator.assess.facts import RelayFacts
from mailhaul_operator.assess.reasons import Reason, reason_of
from mailhaul_operator.assess.words import tidy


def ready(facts: RelayFacts, causes: Sequence[Cause]) -> Draft:
    """Sum up: what is known to be wrong before what is only under way."""
    blocking = [one for one in causes if one.blocks]
    wrong = next((one for one in blocking if not one.mender.waits), None)
    if wrong:
        # With no replica wanted the cause itself tells what is held.
        told = () if wrong.reason is Reason.NO_REPLICAS else _leaving(causes)
        return Draft(READY, FALSE, wrong.reason, _and(wrong.message, told))
    if blocking:
        return draft(READY, UNKNOWN, blocking[0])
    if not facts.reports:
        return _as_before(facts)
    return _good(facts, causes)


def _as_before(facts: RelayFacts) -> Draft:
    """Nobody answers, but not for long: what was known still stands."""
    before = facts.stamp.before.get(READY)
    if before is None:
        return Draft(READY, UNKNOWN, Reason.AWAITING_REPORT, Reason.AWAITING_REPORT.meaning)
    return Draft(READY, before.status, reason_of(before.reason), before.message)


def _good(facts: RelayFacts, causes: Sequence[Cause]) -> Draft:
    open_ = [way for ways in facts.ways for way in ways if way.fault is None]
    names = sorted({way.report.name for way in [one for one in open_ if one.proved] or open_})
    through = f"through {', '.join(names)}" if names else ""
    worries = [one for one in causes if not one.blocks and one.mender is Mender.NOBODY]
    told = (*worries[:1], *_leaving(causes))
    if facts.view.relay.spec.delivery.mode is DeliveryMode.CAPTURE:
        return Draft(READY, TRUE, Reason.CAPTURED, _and(Reason.CAPTURED.meaning.rstrip("."), told))
    if facts.ever_delivered:
        return Draft(READY, TRUE, Reason.MAIL_LEAVES, _and(f"mail leaves {through}".rstrip(), told))
    yet = "none was delivered yet" if has_failed(facts) else "none was sent yet"
    return Draft(READY, TRUE, Reason.UPSTREAM_ANSWERS, _and(f"mail can leave {through}, {yet}", told))


def _leaving(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """What replicas that are to go still hold: told whatever else is so."""
    return tuple(one for one in causes if one.reason is Reason.SCALING_DOWN)


def _and(message: str, causes: Sequence[Cause]) -> str:
    parts = [message, *(f"also {one.reason}: {one.message}" for one in causes)]
    return tidy("; ".join([*(one.rstrip(".") for one in parts[:-1]), parts[-1]]))
