"""The last words that kept mail from leaving, for a message: a replica's own, else what the status remembers.

A restarted process has forgotten what it was told. Used by the checks of delivery and queue. Pure.
"""

from dataclasses import dataclass

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.facts import RelayFacts
from mailhaul_operator.assess.words import remedy_of, reply_words


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what, what to do about it, and the UpstreamProvider that is meant ("" where it is not known)."""

    words: str
    remedy: str
    provider: str


def last_said(facts: RelayFacts, report: RelayReport) -> Said | None:
    """Give the last error, None when nobody remembers any."""
    error, known = report.last_error, facts.status.last_error
    if error is None and known is None:
        return None
    if error is not None:
        name, words, remedy = report.last_error_upstream, reply_words(error), remedy_of(error.fault, error)
    else:
        assert known is not None
        name, words, remedy = known.upstream, f"{known.code or ''} {known.text}".strip(), known.remedy
    provider = next((one.provider for one in report.upstreams if one.name == name), "")
    field = f"UpstreamProvider {facts.owner.namespace}/{provider}" if provider else ""
    return Said(f"{name or 'the relay'} said: {words}", remedy, field)
