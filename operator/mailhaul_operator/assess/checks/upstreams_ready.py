"""`UpstreamsReady`: does every upstream take mail? False with one of several out too, though mail then still leaves.

It keeps mail from leaving when a replica has no upstream left, or a route has none: its mail then waits. Pure.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mailhaul_operator.assess.causes import Cause, Mender, of_finding
from mailhaul_operator.assess.checks.failing import SETTLED
from mailhaul_operator.assess.drafts import READY, TRUE, Draft, failing
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.ways import Way
from mailhaul_operator.assess.words import counted
from mailhaul_operator.plan.findings import Finding, Severity
from mailhaul_operator.plan.findings import Reason as Found

UPSTREAMS_READY: Final = "UpstreamsReady"
_REST_GOES_ON: Final = {Found.SENDER_DOMAIN_NOT_SENDABLE, Found.ROUTE_UPSTREAM_UNKNOWN}
"""What keeps no other mail from leaving."""
_OF_UPSTREAMS: Final = {Found.NO_UPSTREAM, Found.UPSTREAM_UNKNOWN, Found.ROUTE_WITHOUT_UPSTREAM, *_REST_GOES_ON}
"""Findings of a relay that are told here."""


def upstreams_ready(facts: RelayFacts) -> Aspect:
    """Judge the ways out."""
    causes = (*_left_out(facts), *_out(facts), *_unproved(facts))
    if causes:
        # What is known to be wrong is told before what is being tried.
        first = next((one for one in causes if not one.mender.waits), causes[0])
        return Aspect(failing(UPSTREAMS_READY, first), causes)
    names = sorted({way.report.name for ways in facts.ways for way in ways})
    words = f"{counted(len(names), 'upstream')} may send: {', '.join(names)}" if names else "no fault is known"
    return Aspect(Draft(UPSTREAMS_READY, TRUE, Reason.UPSTREAM_ANSWERS, words))


def _left_out(facts: RelayFacts) -> Iterator[Cause]:
    """What the plan found of upstreams and their providers; it blocks when no upstream is left."""
    findings = [one for one in facts.view.plan.findings if _concerns(one, facts)]
    none_left = any(one.reason is Found.NO_UPSTREAM for one in findings)
    specific = [one for one in findings if one.reason is not Found.NO_UPSTREAM]
    for one in specific or findings:
        stranded = one.reason is Found.ROUTE_WITHOUT_UPSTREAM
        blocks = stranded or (none_left and one.reason not in _REST_GOES_ON)
        mender = Mender.OTHER if blocks else Mender.NOBODY
        yield of_finding(one, facts.owner, mender=mender, blocks=blocks)


def _concerns(finding: Finding, facts: RelayFacts) -> bool:
    if finding.severity is not Severity.ERROR:
        return False
    if finding.object.kind == "UpstreamProvider":
        return True
    return finding.object == facts.owner and finding.reason in _OF_UPSTREAMS


def _out(facts: RelayFacts) -> Iterator[Cause]:
    """Upstreams that are out, of each replica; first those of a replica, or a route, that has no other."""
    told: set[tuple[str, str]] = set()
    for ways in sorted(facts.ways, key=lambda one: not all(way.fault for way in one)):
        none_left = bool(ways) and all(way.fault for way in ways)
        stranded = {} if none_left else _stranded(facts, ways)
        for way in sorted(ways, key=lambda one: one.report.name not in stranded):
            cause = way.fault or way.worry
            if cause and (way.report.name, cause.reason.value) not in told:
                told.add((way.report.name, cause.reason.value))
                yield _weighed(cause, way, stranded.get(way.report.name, ""), none_left=none_left)


def _stranded(facts: RelayFacts, ways: tuple[Way, ...]) -> dict[str, str]:
    """The first route of which every upstream is out, by upstream."""
    config, out = facts.view.plan.config, {one.report.name for one in ways if one.fault}
    found: dict[str, str] = {}
    for route in config.routes if config else ():
        if route.upstreams and out.issuperset(route.upstreams):
            for name in route.upstreams:
                found.setdefault(name, route.name)
    return found


def _weighed(cause: Cause, way: Way, route: str, *, none_left: bool) -> Cause:
    blocks = way.fault is not None and (none_left or bool(route))
    fact = f"{cause.fact}; route {route} has no other, and its mail waits" if route else cause.fact
    return replace(cause, fact=fact, blocks=blocks, mender=Mender.OTHER if blocks else Mender.NOBODY)


def _unproved(facts: RelayFacts) -> Iterator[Cause]:
    """Whether anything answers is not known while no upstream has been tried with the settings in force."""
    if not facts.ways or any(way.proved for ways in facts.ways for way in ways):
        return
    if _was_ready(facts) and (facts.unchanged or _still_before(facts)):
        return
    if all(way.fault for ways in facts.ways for way in ways):
        return
    names = sorted({way.report.name for ways in facts.ways for way in ways if way.fault is None})
    words = f"whether {', '.join(names)} answers is being tried"
    yield Cause(Reason.PROBING, words, mender=Mender.WORK)


def _was_ready(facts: RelayFacts) -> bool:
    ready = facts.stamp.before.get(READY)
    return ready is not None and ready.status is TRUE


def _still_before(facts: RelayFacts) -> bool:
    """Whether the change that is to be proved has reached no replica yet, nor has any other since their start: what
    runs is what Ready was said of.
    """
    return all(
        report.digest != facts.view.plan.digest
        and all(one.opened <= report.started + SETTLED for one in report.upstreams)
        for _, report in facts.reports
    )
