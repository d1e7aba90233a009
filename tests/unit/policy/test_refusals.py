"""A refused From domain: remembered against its upstream only, and tried again."""

import json
from dataclasses import replace

import pytest

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.refusals import DELAYS, MAX_DOMAINS, SenderRefusals

NOW = 1_700_000_000.0
REFUSED = Outcome(Verdict.HOLD, Stage.END_OF_DATA, Fault.SENDER)
DELIVERED = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA)


def test_tried_again_after_5_then_15_then_every_60_minutes() -> None:
    refusals, now = SenderRefusals(), NOW
    for delay in (*DELAYS, DELAYS[-1]):
        refusals = refusals.after("own.example", REFUSED, now)
        assert refusals.refused(now + delay - 1) == {"own.example"}
        assert refusals.refused(now + delay) == frozenset()
        assert refusals.next_attempt("own.example") == now + delay
        now += delay


def test_refusals_that_were_under_way_count_once() -> None:
    once = SenderRefusals().after("own.example", REFUSED, NOW)
    assert once.after("own.example", REFUSED, NOW + 1) is once


def test_delivery_of_that_domain_forgets_it_and_of_another_does_not() -> None:
    refusals = SenderRefusals().after("a.example", REFUSED, NOW).after("b.example", DELIVERED, NOW)
    assert refusals.refused(NOW) == {"a.example"}
    assert refusals.after("a.example", DELIVERED, NOW).refused(NOW) == frozenset()
    assert SenderRefusals().next_attempt("a.example") == 0


def test_what_was_said_is_kept_with_each_domain_while_it_is_refused() -> None:
    a, b = (replace(REFUSED, reply=Reply(554, "", text)) for text in ("a is not verified", "b is not verified"))
    refusals = SenderRefusals().after("a.example", a, NOW).after("b.example", b, NOW + 1)
    refusals = refusals.after("c.example", REFUSED, NOW).after("d.example", DELIVERED, NOW)
    assert refusals.said(NOW + 1) == {"a.example": (a, NOW), "b.example": (b, NOW + 1)}
    assert set(refusals.said(NOW + DELAYS[0])) == {"b.example"}


def test_number_of_domains_is_bounded() -> None:
    refusals = SenderRefusals()
    for number in range(MAX_DOMAINS + 5):
        refusals = refusals.after(f"d{number}.example", REFUSED, NOW + number / 100)
    assert len(refusals.domains) == MAX_DOMAINS
    assert "d0.example" not in refusals.domains


def test_it_is_remembered() -> None:
    refusals = SenderRefusals().after("a.example", REFUSED, NOW)
    assert SenderRefusals.from_json(json.loads(json.dumps(refusals.to_json()))) == refusals


@pytest.mark.parametrize("stored", [{}, {"domains": []}, {"domains": {"a": 1}}, {"domains": {"a": []}}, {"domains": 7}])
def test_what_cannot_be_read_is_empty(stored: dict[str, object]) -> None:
    assert SenderRefusals.from_json(stored) == SenderRefusals()
