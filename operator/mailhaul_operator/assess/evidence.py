"""What relays have seen of a provider, stage by stage: each sighting with its time, and the newest of a stage wins.

Sources: probes, messages, the breaker, the state of the credential, the From domains that are refused. A report's
probe, breaker, credential and last accepted message are of the settings that run; its last delivery and last reply may
be of those before, so they count only from `since` on, when the present settings are known to have been in force. A
probe can show only that a From is refused; that it is taken shows with an accepted message. Made from reports, used by
`provider`. Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mailhaul_contract.report import BreakerState, CredentialState, ProbeStage, ReplyReport, UpstreamReport
from mailhaul_operator.assess.ways import breaker_reply, is_fault

REACHED, VERIFIED, LOGGED_IN, SENDER = ProbeStage.CONNECT, ProbeStage.TLS, ProbeStage.AUTH, ProbeStage.SENDER
TOKEN: Final = "token"  # noqa: S105 - a word
"""The fault of a login that was not tried, for no access token could be had."""
_FAULTS: Final = {"connection": REACHED, "tls": VERIFIED, "auth": LOGGED_IN, TOKEN: LOGGED_IN, "sender": SENDER}
_ORDER: Final = (REACHED, VERIFIED, LOGGED_IN, SENDER)
_BEYOND_LOGIN: Final = frozenset({"mail", "rcpt", "data", "end-of-data"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """A stage passed or failed at a time; a failed one has the provider's words if they are known. `for_token` tells
    that the login was not tried for want of an access token.
    """

    stage: ProbeStage
    time: float
    passed: bool
    reply: ReplyReport | None = None
    for_token: bool = False


def newest(stage: ProbeStage, reports: Iterable[UpstreamReport], since: float | None) -> Sighting | None:
    """Give the newest sighting of a stage; at one time a failure wins. `since` None trusts no delivery yet."""
    seen = [one for report in reports for one in _sightings(report, since) if one.stage is stage]
    return max(seen, key=lambda one: (one.time, not one.passed), default=None)


def _sightings(report: UpstreamReport, since: float | None) -> Iterator[Sighting]:
    if report.last_accepted:
        yield from (Sighting(stage, report.last_accepted, True) for stage in _ORDER)
    yield from _probed(report, since or 0)
    yield from _broken(report)
    yield from _credential(report)
    if since is not None:
        yield from (one for one in _sent(report) if one.time >= since)


def _probed(report: UpstreamReport, since: float) -> Iterator[Sighting]:
    if report.probe is None or report.probe.time < since:
        return
    for one in report.probe.stages:
        stage = REACHED if one.stage is ProbeStage.EHLO else one.stage
        if not (stage is SENDER and one.passed):
            yield Sighting(stage, report.probe.time, one.passed, one.reply, for_token(one.reply))


def _sent(report: UpstreamReport) -> Iterator[Sighting]:
    """What messages showed: all stages passed, or those before the one at which the last was refused."""
    last = report.last_reply
    if report.last_delivery:
        yield from (Sighting(stage, report.last_delivery, True) for stage in _ORDER)
    if last is not None and is_fault(last) and last.stage in _BEYOND_LOGIN and last.fault not in _FAULTS:
        yield from (Sighting(stage, last.time, True) for stage in _ORDER[:-1])
    if last is not None and last.fault == "sender" and report.refused_senders:
        yield from (Sighting(stage, last.time, True) for stage in _ORDER[:-1])
        yield Sighting(SENDER, last.time, False, last)


def _broken(report: UpstreamReport) -> Iterator[Sighting]:
    """The breaker of a restarted pod still stands, while its reply is forgotten."""
    failed = _FAULTS.get(report.breaker_fault)
    if report.breaker is not BreakerState.CLOSED and failed:
        said = breaker_reply(report)
        if said is None and failed is LOGGED_IN:
            said = report.credential_reply
        time = max(report.breaker_since, said.time if said else 0)
        yield Sighting(failed, time, False, said, report.breaker_fault == TOKEN)
        yield from (Sighting(stage, report.breaker_since, True) for stage in _ORDER[: _ORDER.index(failed)])


def for_token(reply: ReplyReport | None) -> bool:
    """Whether a login was not tried because no access token could be had."""
    return reply is not None and reply.fault == TOKEN


def _credential(report: UpstreamReport) -> Iterator[Sighting]:
    reply = report.credential_reply
    if report.credential is CredentialState.REFUSED:
        time = reply.time if reply else report.breaker_since
        yield Sighting(LOGGED_IN, time, False, reply)
        yield from (Sighting(stage, time, True) for stage in (REACHED, VERIFIED))
    elif report.credential in {CredentialState.PROVED, CredentialState.PREVIOUS}:
        # When it was taken is not told: any sighting with a time is newer.
        yield from (Sighting(stage, 0, True) for stage in (REACHED, VERIFIED, LOGGED_IN))
