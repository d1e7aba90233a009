"""No replica goes while it may hold mail: who is asked to drain, and what is not known counts as mail."""

import pytest

from mailhaul_contract.report import QueueReport, RelayReport
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.reconcile.draining import away, emptied, held, holding, orders

NO_MAIL = QueueReport()


def report(*, draining: bool = False, accepting: bool = True, queue: QueueReport = NO_MAIL) -> RelayReport:
    return RelayReport(
        namespace="smtp",
        name="relay",
        pid=1,
        started=0,
        time=0,
        digest="",
        accepting=accepting,
        draining=draining,
        queue=queue,
    )


def pod(ordinal: int | None, told: RelayReport | Silence | None, *, terminating: bool = False) -> PodView:
    return PodView(f"relay-{ordinal}", ordinal, "10.0.0.1", True, True, terminating, 0, report=told)


EMPTY = report(draining=True, accepting=False)
SILENT = Silence("connection refused", 0)


def test_leaving_replicas_are_told_once_and_those_that_stay_are_told_back() -> None:
    pods = [pod(0, EMPTY), pod(1, report()), pod(2, report()), pod(3, EMPTY)]
    assert orders(pods, wanted=2) == {"relay-0": False, "relay-2": True}


def test_who_is_silent_going_or_of_a_deployment_is_told_nothing() -> None:
    pods = [pod(1, SILENT), pod(1, None), pod(1, report(), terminating=True), pod(None, report())]
    assert orders(pods, wanted=0) == {}


def test_a_replica_is_empty_only_when_two_passes_in_a_row_say_so() -> None:
    assert emptied([pod(1, EMPTY)], [pod(1, EMPTY)], wanted=1) == {1}
    assert emptied([pod(1, EMPTY)], [], wanted=1) == frozenset()
    assert emptied([pod(1, EMPTY)], [pod(1, report())], wanted=1) == frozenset()


def test_a_replica_that_is_wanted_again_is_not_empty() -> None:
    assert emptied([pod(1, EMPTY)], [pod(1, EMPTY)], wanted=2) == frozenset()


@pytest.mark.parametrize("state", ["queued", "deferred", "held", "dead", "quarantined"])
def test_mail_of_any_state_keeps_a_replica(state: str) -> None:
    full = report(draining=True, accepting=False, queue=QueueReport.model_validate({state: 1}))
    assert emptied([pod(1, full)], [pod(1, full)], wanted=1) == frozenset()
    assert held([pod(0, full), pod(1, full)], wanted=1) == {"relay-1": 1}


@pytest.mark.parametrize(
    "told",
    [SILENT, None, report(), report(draining=True), report(accepting=False)],
    ids=["silent", "not-asked", "not-told", "still-accepting", "not-draining"],
)
def test_what_is_not_known_counts_as_mail(told: RelayReport | Silence | None) -> None:
    assert emptied([pod(1, told)], [pod(1, told)], wanted=1) == frozenset()


def test_all_above_the_wanted_ones_hold_mail_until_they_are_known_to_be_empty() -> None:
    assert holding(frozenset(), wanted=1, replicas=4) == {1, 2, 3}
    assert holding(frozenset({3}), wanted=1, replicas=4) == {1, 2}
    assert holding(frozenset({1, 2, 3}), wanted=1, replicas=4) == frozenset()
    assert holding(frozenset(), wanted=3, replicas=3) == frozenset()


def test_who_held_mail_before_does_until_it_is_known_to_be_empty_whatever_the_workload_says() -> None:
    assert holding(frozenset(), wanted=1, replicas=0, before=frozenset({1, 2})) == {1, 2}
    assert holding(frozenset({2}), wanted=1, replicas=1, before=frozenset({1, 2})) == {1}
    assert holding(frozenset(), wanted=2, replicas=0, before=frozenset({1, 2})) == {2}


def test_a_leaving_replica_that_may_hold_mail_and_has_no_pod_is_away() -> None:
    assert away("relay", frozenset({1, 2}), [pod(0, report()), pod(2, report(draining=True))]) == {"relay-1"}
    assert away("relay", frozenset({1}), []) == {"relay-1"}
    assert away("relay", frozenset(), [pod(0, report())]) == frozenset()


def test_one_whose_pod_is_going_and_tells_nothing_is_away_and_one_that_only_is_silent_is_not() -> None:
    assert away("relay", frozenset({1}), [pod(1, SILENT, terminating=True)]) == {"relay-1"}
    assert away("relay", frozenset({1}), [pod(1, report(), terminating=True)]) == frozenset()
    assert away("relay", frozenset({1}), [pod(1, SILENT)]) == frozenset()
