"""Findings as people and as programs read them; `validate`, `render` and `up` print through it. Pure."""

import json
from collections.abc import Iterable

from mailhaul_operator.local.loading import Located
from mailhaul_operator.plan.findings import Severity

_ORDER = tuple(Severity)


def worst_first(findings: Iterable[Located]) -> tuple[Located, ...]:
    """Sort by severity; within one, the order that was given stays."""
    return tuple(sorted(findings, key=lambda one: _ORDER.index(one.finding.severity)))


def finding_lines(findings: Iterable[Located]) -> tuple[str, ...]:
    """Give one line for each finding: place, severity, reason, object, field, words, remedy."""
    return tuple(_line(one) for one in worst_first(findings))


def finding_text(findings: Iterable[Located]) -> str:
    """Give a readable text of several lines for each finding, and a line that sums up."""
    listed = worst_first(findings)
    blocks = [_block(one) for one in listed]
    return "\n".join([*blocks, _sum(listed)]) + "\n"


def finding_json(findings: Iterable[Located]) -> str:
    """Give all findings as a JSON document."""
    listed = worst_first(findings)
    return json.dumps({"findings": [one.to_json() for one in listed]}, indent=2, ensure_ascii=False) + "\n"


def has_errors(findings: Iterable[Located]) -> bool:
    """Whether one of them is an error."""
    return any(one.finding.severity is Severity.ERROR for one in findings)


def _head(one: Located) -> str:
    finding = one.finding
    subject = f" {finding.object}" if finding.object.kind else ""
    field = f" {finding.field}" if finding.field else ""
    place = f"{one.place}: " if one.place else ""
    about = f":{subject}{field}" if subject or field else ""
    return f"{place}{finding.severity} {finding.reason}{about}"


def _line(one: Located) -> str:
    return f"{_head(one)}: {one.finding.message}. Remedy: {one.finding.remedy}"


def _block(one: Located) -> str:
    return f"{_head(one)}\n    {one.finding.message}\n    remedy: {one.finding.remedy}\n"


def _sum(listed: tuple[Located, ...]) -> str:
    if not listed:
        return "nothing found: the resources are good"
    counts = [(severity, sum(one.finding.severity is severity for one in listed)) for severity in _ORDER]
    return ", ".join(f"{count} {severity.lower()}{'s' if count > 1 else ''}" for severity, count in counts if count)
