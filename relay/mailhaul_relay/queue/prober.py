"""Probes of upstreams on request: one at a time for each, none too soon, and what follows from them.

`http` asks (the operator decides when), `app` owns it and stops it. What a probe finds is kept with its `Way`, so that
a changed upstream or credential forgets it. A login of a probe counts as one of mail: it proves or refuses the
credential, keeps to the same times, and goes on with the previous credential where mail would. Failures are findings;
an error of ours is logged and is no finding.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from mailhaul_contract.report import ProbeReport, ProbeStage, StageReport
from mailhaul_contract.upstream import Upstream, UpstreamKind
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.policy.credentials import is_refusal
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.way import Way
from mailhaul_relay.queue.ways import Ways
from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.probe import Findings, Login, probe
from mailhaul_relay.smtpout.unmatched_replies import UnmatchedReplies
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import reported

INTERVAL = 10.0
"""Seconds from one probe of an upstream to the next with the same settings."""

Run = Callable[[Upstream, str, Login], Awaitable[Findings]]


class Answer(StrEnum):
    """What becomes of a request for a probe."""

    STARTED = "started"
    UNKNOWN = "unknown"
    CAPTURE = "capture"
    TOO_SOON = "too-soon"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer; `wait` is in seconds when it is too soon."""

    answer: Answer
    wait: int = 0


class Prober:
    """Runs probes in tasks of its own."""

    def __init__(self, ways: Ways, log: Log, clock: Clock, run: Run = probe) -> None:
        self._ways, self._log, self._clock, self._run = ways, log, clock, run
        self.unmatched: Callable[[Upstream], UnmatchedReplies] | None = None
        """Who counts an upstream's replies that no rule knows."""
        self._under_way: dict[asyncio.Task[None], Way] = {}
        self._stopped = False

    def ask(self, name: str) -> Asked:
        """Start a probe of the upstream with that name, or say why not."""
        way = self._ways.way(name)
        if way is None:
            return Asked(Answer.UNKNOWN)
        if way.upstream.kind is UpstreamKind.CAPTURE:
            return Asked(Answer.CAPTURE)
        if self._stopped:
            return Asked(Answer.STOPPING)
        wait = self._wait(way)
        if wait > 0:
            return Asked(Answer.TOO_SOON, ceil(wait))
        task = asyncio.get_running_loop().create_task(self._probe(way))
        self._under_way[task] = way
        task.add_done_callback(self._under_way.pop)
        return Asked(Answer.STARTED)

    async def stop(self) -> None:
        """Cut off what is under way; no mail is lost with it."""
        self._stopped = True
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wait(self, way: Way) -> float:
        if way in self._under_way.values():
            return INTERVAL
        since = self._clock() - way.probe.time if way.probe else INTERVAL
        return INTERVAL - since if since >= 0 else 0.0

    async def _probe(self, way: Way) -> None:
        barred = self._barred(way)
        # A breaker that waits for a login lets one try at a time: this probe, or a mail.
        on_trial = barred is None and way.current.fault is Fault.AUTH
        way.on_trial = way.on_trial or on_trial
        login = Login(way.logins.current, barred[0] if barred else None, way.logins.access)
        try:
            findings = await self._talk(way, login)
            previous = await self._by_previous(way, findings)
        except Exception as error:  # noqa: BLE001 - an error of ours must not pass for the upstream's
            self._log.event("internal-error", level="error", where="probe", kind=type(error).__name__)
            return
        finally:
            way.on_trial = way.on_trial and not on_trial
        now = self._clock()
        said_at = barred[1] if barred and findings.outcome is barred[0] else now
        is_carried = previous is not None and ProbeStage.AUTH in previous.passed
        way.probe = ProbeReport(time=now, stages=_stages(previous if previous and is_carried else findings, said_at))
        self._log.event(
            "probed",
            level="warning" if findings.outcome else "info",
            upstream=way.name,
            failed=findings.failed,
            reply=findings.outcome.text if findings.outcome else None,
            remedy=findings.outcome.remedy if findings.outcome else None,
        )
        if barred is None:
            self._conclude(way, findings)
        if previous is not None:
            way.logins.previous_answered(taken=is_carried)

    async def _by_previous(self, way: Way, findings: Findings) -> Findings | None:
        """What it finds with the previous credential, when the current one is refused; None if none may be used."""
        if findings.outcome is None or not is_refusal(findings.outcome) or not way.logins.may_use_previous:
            return None
        return await self._talk(way, Login(way.logins.previous, access=way.logins.access))

    async def _talk(self, way: Way, login: Login) -> Findings:
        """Go through the stages; what the upstream says now that no rule knows is counted."""
        findings = await self._run(way.upstream, way.hostname, login)
        if findings.outcome is not None and findings.outcome is not login.barred and self.unmatched is not None:
            sender = way.upstream.probe_sender or ""
            self.unmatched(way.upstream).count([findings.outcome], Context(sender.rpartition("@")[2], sender))
        return findings

    def _barred(self, way: Way) -> tuple[Outcome, float] | None:
        """The refusal, and when it came, because of which no AUTH may be tried now."""
        standing, breaker, now = way.logins.standing, way.current, self._clock()
        waits = breaker.fault is Fault.AUTH and not way.permits(now)
        if standing.refusal is not None and (waits or not standing.is_due(now)):
            return standing.refusal, standing.refused_at
        if waits:
            # Told by mail at a later stage, or remembered from before a restart.
            return Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, detail=breaker.text, remedy=_WAITS), breaker.since
        return None

    def _conclude(self, way: Way, findings: Findings) -> None:
        """What a probe that was free to log in says of the credential and the breaker."""
        mends = _mends(way, findings)
        if ProbeStage.AUTH in findings.passed:
            way.logins.accepted()
        if findings.outcome is not None and is_refusal(findings.outcome):
            way.logins.refused(findings.outcome)
            self._ways.probed(way, findings.outcome)
        elif mends:
            self._ways.probed(way, None)


def _mends(way: Way, findings: Findings) -> bool:
    """Whether what opened the breaker is gone: a session came about. Where it was no login that was refused (530 at
    MAIL), only a sender that is taken shows it.
    """
    if findings.outcome is not None and (
        findings.failed is not ProbeStage.SENDER or findings.outcome.fault.is_of_upstream
    ):
        return False
    by_mail = way.current.fault is Fault.AUTH and way.logins.standing.refusal is None
    return not by_mail or ProbeStage.SENDER in findings.passed


def _stages(findings: Findings, said_at: float) -> tuple[StageReport, ...]:
    passed = tuple(StageReport(stage=one, passed=True) for one in findings.passed)
    if findings.failed is None or findings.outcome is None:
        return passed
    return (*passed, StageReport(stage=findings.failed, passed=False, reply=reported((findings.outcome, said_at))))


_WAITS = "Correct user name and password in the provider's Secret; the relay then logs in again at once."
