"""A refused From domain: remembered against its upstream only, and tried again."""

import json
from dataclasses import replace

import pytest

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.refusals import DELAYS, MAX_DOMAINS, MAX_KEPT, SenderRefusals

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


def _restarted(refusals: SenderRefusals, now: float) -> SenderRefusals:
    return SenderRefusals.from_json(json.loads(json.dumps(refusals.to_json())), now)


def test_a_restart_keeps_what_is_told_and_is_a_reason_to_try_again() -> None:
    said = replace(REFUSED, reply=Reply(554, "5.7.1", "not verified"), remedy="verify it")
    refusals = SenderRefusals().after("a.example", said, NOW).after("b.example", REFUSED, NOW)
    after = _restarted(refusals, NOW + 10)
    assert after.refused(NOW + 10) == frozenset(), "mail tries it at once"
    assert after.told(NOW + 10) == {"a.example", "b.example"}
    assert after.said(NOW + 10) == {"a.example": (said, NOW)}
    assert after.told(NOW + DELAYS[0]) == frozenset()


def test_after_a_restart_a_refusal_counts_on_and_a_delivery_ends_it() -> None:
    after = _restarted(SenderRefusals().after("a.example", REFUSED, NOW), NOW + 10)
    again = after.after("a.example", REFUSED, NOW + 20)
    assert again.refused(NOW + 20 + DELAYS[1] - 1) == again.told(NOW + 20) == {"a.example"}
    assert not after.after("a.example", DELIVERED, NOW + 20).told(NOW + 20)


def test_what_is_over_at_the_restart_is_forgotten() -> None:
    assert not _restarted(SenderRefusals().after("a.example", REFUSED, NOW), NOW + DELAYS[0]).domains


def test_no_more_is_remembered_than_can_be_told() -> None:
    refusals = SenderRefusals()
    for number in range(MAX_KEPT + 5):
        refusals = refusals.after(f"d{number}.example", REFUSED, NOW + number / 100)
    kept = _restarted(refusals, NOW + 10).domains
    assert len(kept) == MAX_KEPT
    assert "d0.example" not in kept


@pytest.mark.parametrize(
    "stored",
    [
        *({}, {"domains": []}, {"domains": {"a": 1}}, {"domains": {"a": []}}, {"domains": 7}),
        {"domains": {"a": {"times": 1, "until": NOW + 60, "said": {"reply": [1], "stage": "x"}}}},
        {"domains": {"a": {"times": "inf", "until": NOW + 60}}},
    ],
)
def test_what_cannot_be_read_is_empty(stored: dict[str, object]) -> None:
    assert SenderRefusals.from_json(stored, NOW) == SenderRefusals()


def test_what_is_over_for_long_is_forgotten() -> None:
    refusals = SenderRefusals().after("a.example", REFUSED, NOW).after("b.example", REFUSED, NOW + 60)
    over = NOW + DELAYS[0] + DELAYS[-1]
    assert refusals.recent(over - 1) is refusals
    assert set(refusals.recent(over).domains) == {"b.example"}


def test_a_clock_that_was_ahead_and_is_set_right_keeps_no_domain_refused() -> None:
    year = 31_536_000
    refusals = SenderRefusals().after("own.example", replace(REFUSED, reply=Reply(554, "", "no")), NOW + year)
    assert refusals.refused(NOW) == refusals.told(NOW) == frozenset()
    assert refusals.said(NOW) == {}
    again = refusals.after("own.example", REFUSED, NOW)
    assert again.refused(NOW) == {"own.example"}
    assert again.next_attempt("own.example") <= NOW + DELAYS[-1]
    assert again.refused(again.next_attempt("own.example")) == frozenset()
