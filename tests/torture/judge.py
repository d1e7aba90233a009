"""The verdict on a played case: the conversation's own, and then what arrived at the sink.

Rules for every case: what was promised with 2xx arrives, once and with the body that was sent; what was not promised
does not arrive; nothing arrives with a bare CR or LF in it. A case that tries to smuggle (`replies` after its content)
may leave one message there at most.
"""

import re
from dataclasses import dataclass

from tests.torture.play import Played
from tests.torture.sink import Arrival, Sink

PASS, FAIL, SKIPPED, DEVIATION = "pass", "fail", "skipped", "deviation"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One case's result; `reason` is "" for a pass."""

    name: str
    rule: str
    level: str
    result: str
    reason: str = ""


def is_settled(played: Played, sink: Sink) -> bool:
    """Whether all that was promised has arrived."""
    arrivals = sink.of(played.token)
    named = {line for one in arrivals for line in one.commands}
    return bool(played.complaint) or (len(arrivals) >= played.promised and len(named) >= played.case.recipients)


def judge(played: Played, sink: Sink | None) -> Verdict:
    """Give the verdict; `sink` None judges the conversation only."""
    case = played.case
    reason = played.complaint
    if not reason and sink is not None:
        reason = _arrived(played, sink.of(played.token))
    return Verdict(case.name, case.rule, case.level, FAIL if reason else PASS, reason)


def _arrived(played: Played, arrivals: list[Arrival]) -> str:
    faults = [fault for one in arrivals for fault in one.faults]
    if faults:
        return f"what was sent on has {faults[0]}: {arrivals[0].wire[:200]!r}"
    if any(one.word == "replies" for one in played.case.talk):
        return f"{len(arrivals)} messages arrived of one" if len(arrivals) > 1 else ""
    if played.case.recipients:
        wanted, got = played.case.recipients, {line for one in arrivals for line in one.commands if line[:4] == "RCPT"}
        if len(got) != wanted:
            return f"arrived for {len(got)} recipients of {wanted}"
    elif len(arrivals) != played.promised:
        return f"{played.promised} promised, {len(arrivals)} arrived"
    return next((objection for one in arrivals if (objection := _objection(played, one))), "")


def _objection(played: Played, arrival: Arrival) -> str:
    case = played.case
    if played.contents and arrival.content not in played.contents:
        return f"the body arrived otherwise: {_difference(arrival.content, played.contents[0])}"
    for pattern in case.head:
        if not any(_matches(pattern.replace("$token", played.token), line) for line in arrival.head):
            return f"no header field is like {pattern!r}: {arrival.head}"
    for pattern in case.no_head:
        if any(_matches(pattern, line) for line in arrival.head):
            return f"a header field is like {pattern!r}: {arrival.head}"
    for pattern in case.envelope:
        if not any(_matches(pattern.replace("$token", played.token), line) for line in arrival.commands):
            return f"the envelope has nothing like {pattern!r}: {arrival.commands}"
    return ""


def _difference(got: bytes, sent: bytes) -> str:
    at = next(
        (i for i, (one, other) in enumerate(zip(got, sent, strict=False)) if one != other), min(len(got), len(sent))
    )
    near = slice(max(0, at - 20), at + 20)
    return f"at octet {at} of {len(sent)} (got {len(got)}): {got[near]!r} for {sent[near]!r}"


def _matches(pattern: str, line: str) -> bool:
    """Compare; where a pattern has a `*`, any blanks are as good as one."""
    if "*" in pattern:
        line = " ".join(line.split())
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), line, re.DOTALL) is not None
