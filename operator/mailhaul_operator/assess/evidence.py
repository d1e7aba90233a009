"""What relays have seen of a provider, stage by stage: each sighting with its time, and the newest of a stage wins.

Sources: probes, deliveries, the last reply, the breaker, the state of the credential. A probe can show only that a From
is refused; that it is taken shows with an accepted message. Made from reports, used by `provider`. Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mailhaul_contract.report import BreakerState, CredentialState, ProbeStage, ReplyReport, UpstreamReport
from mailhaul_operator.assess.ways import is_fault

REACHED, VERIFIED, LOGGED_IN, SENDER = ProbeStage.CONNECT, ProbeStage.TLS, ProbeStage.AUTH, ProbeStage.SENDER
_FAULTS: Final = {"connection": REACHED, "tls": VERIFIED, "auth": LOGGED_IN, "sender": SENDER}
_ORDER: Final = (REACHED, VERIFIED, LOGGED_IN, SENDER)
_BEYOND_LOGIN: Final = frozenset({"mail", "rcpt", "data", "end-of-data"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """A stage passed or failed at a time, and in whose eyes; a failed one has the provider's words if they are known.
    `sending` tells that a message showed it, not a probe.
    """

    stage: ProbeStage
    time: float
    passed: bool
    report: UpstreamReport
    reply: ReplyReport | None = None
    sending: bool = False


def newest(stage: ProbeStage, reports: Iterable[UpstreamReport], since: float = 0) -> Sighting | None:
    """Give the newest sighting of a stage, of no earlier time than `since`; at one time a failure wins."""
    seen = [one for report in reports for one in sightings(report) if one.stage is stage and one.time >= since]
    return max(seen, key=lambda one: (one.time, not one.passed), default=None)


def sightings(report: UpstreamReport) -> Iterator[Sighting]:
    """Give everything that a report shows."""
    yield from _probed(report)
    yield from _delivered(report)
    yield from _said(report)
    yield from _broken(report)
    yield from _credential(report)


def _probed(report: UpstreamReport) -> Iterator[Sighting]:
    if report.probe is None:
        return
    for one in report.probe.stages:
        stage = REACHED if one.stage is ProbeStage.EHLO else one.stage
        if not (stage is SENDER and one.passed):
            yield Sighting(stage, report.probe.time, one.passed, report, one.reply)


def _delivered(report: UpstreamReport) -> Iterator[Sighting]:
    if report.last_delivery:
        for stage in _ORDER:
            yield Sighting(stage, report.last_delivery, True, report, sending=True)


def _said(report: UpstreamReport) -> Iterator[Sighting]:
    """A fault shows its stage failed and those before it passed."""
    last = report.last_reply
    if last is None or not is_fault(last):
        return
    failed = _FAULTS.get(last.fault)
    if failed:
        yield Sighting(failed, last.time, False, report, last, sending=True)
        passed = _ORDER[: _ORDER.index(failed)]
    else:
        passed = (REACHED, VERIFIED, LOGGED_IN) if last.stage in _BEYOND_LOGIN else ()
    for stage in passed:
        yield Sighting(stage, last.time, True, report, sending=True)


def _broken(report: UpstreamReport) -> Iterator[Sighting]:
    """The breaker of a restarted pod still stands, while its reply is forgotten."""
    failed = _FAULTS.get(report.breaker_fault)
    if report.breaker is not BreakerState.CLOSED and failed:
        last = report.last_reply
        said = last if last and last.fault == report.breaker_fault else None
        yield Sighting(failed, max(report.breaker_since, said.time if said else 0), False, report, said, sending=True)


def _credential(report: UpstreamReport) -> Iterator[Sighting]:
    reply = report.credential_reply
    if report.credential is CredentialState.REFUSED:
        time = reply.time if reply else report.breaker_since
        yield Sighting(LOGGED_IN, time, False, report, reply, sending=True)
    elif report.credential in {CredentialState.PROVED, CredentialState.PREVIOUS}:
        # When it was taken is not told: any sighting with a time is newer.
        yield Sighting(LOGGED_IN, 0, True, report, sending=True)
