"""One prober for each credential; at once for what is new, else after the interval; a throttled provider has peace."""

from dataclasses import replace
from typing import Any

import pytest
from tests.golden.assess.worlds import T0, provider_view

from mailhaul_contract.report import UpstreamReport
from mailhaul_operator.assess.probing import PATIENCE, UNREACHED, ProbeOrder, due, next_look
from mailhaul_operator.assess.provider import assess_provider
from mailhaul_operator.assess.view import ProviderView, UsedBy

INTERVAL = 900.0
PASSED = {"time": 10, "stages": [{"stage": "Connect", "passed": True}, {"stage": "Auth", "passed": True}]}
ORDER = ProbeOrder("smtp", "smtp-relay", "smtp-relay-0", "main")


def view(at: float, *, generation: int = 1, revision: str = "r1", **report: object) -> ProviderView:
    """A provider that was probed at 10 seconds with generation 1 and revision r1, some time later."""
    known = assess_provider(provider_view({"usedBy": [{"pods": [{"probe": PASSED}]}]}, T0 + 11, None))
    used = [{"revision": revision, "pods": [report]}]
    return provider_view({"generation": generation, "usedBy": used}, T0 + at, known)


def test_what_was_never_probed_is_probed_at_once() -> None:
    assert due(provider_view({}, T0, None), 0.5) == ORDER


def test_a_new_generation_and_a_new_revision_are_probed_at_once() -> None:
    assert due(view(20, generation=2), 0.5) == ORDER
    assert due(view(20, revision="r2"), 0.5) == ORDER


def test_a_restarted_pod_or_operator_is_no_reason_to_log_in() -> None:
    assert due(view(20), 0.5) is None


@pytest.mark.parametrize(("jitter", "after"), [(0.0, INTERVAL), (0.5, 990.0)])
def test_the_next_is_due_after_the_interval_with_jitter(jitter: float, after: float) -> None:
    assert due(view(10 + after - 1), jitter) is None
    assert due(view(10 + after), jitter) == ORDER
    assert next_look(view(11), jitter) == pytest.approx(after - 1)


def test_a_delivery_within_the_interval_saves_a_probe() -> None:
    assert due(view(1000, lastDelivery=500), 0) is None
    assert due(view(1400, lastDelivery=500), 0) == ORDER


def test_mail_that_left_with_the_credential_that_is_there_saves_a_probe_when_another_secret_changed() -> None:
    taken: dict[str, Any] = {"credential": "Proved", "lastAccepted": 15, "lastDelivery": 15}
    assert due(view(20, revision="r2", **taken), 0) is None
    assert due(view(15 + INTERVAL, revision="r2", **taken), 0) == ORDER
    assert due(view(20, revision="r2", **(taken | {"credential": "Previous"})), 0) == ORDER


def test_a_relay_that_does_not_run_the_settings_yet_makes_no_probe() -> None:
    settled = provider_view({}, T0, None)
    unsettled = replace(settled, used_by=tuple(replace(one, settled=False) for one in settled.used_by))
    assert due(unsettled, 0) is None
    assert next_look(unsettled, 0) is None


def test_an_order_is_given_once_while_its_answer_may_come() -> None:
    fresh = provider_view({}, T0 + PATIENCE - 1, None)
    assert due(fresh, 0, asked=T0) is None
    assert due(replace(fresh, now=T0 + PATIENCE), 0, asked=T0) == ORDER


def test_two_relays_of_one_provider_have_one_prober() -> None:
    relays = [{"relay": "b", "pods": [{}]}, {"relay": "a", "pods": [{}, {}]}, {"relay": "0", "pods": []}]
    assert due(provider_view({"usedBy": relays}, T0, None), 0) == ProbeOrder("smtp", "a", "a-0", "main")


def test_a_throttled_provider_is_left_in_peace() -> None:
    assert due(view(1500, breaker="Open", breakerFault="throttle", nextAttempt=2000), 0) is None
    assert due(view(2000, breaker="Open", breakerFault="throttle", nextAttempt=2000), 0) == ORDER


def test_the_inbox_and_what_nobody_uses_are_never_probed() -> None:
    assert due(provider_view({"spec": {"type": "capture"}}, T0, None), 0) is None
    assert due(provider_view({"usedBy": []}, T0, None), 0) is None


def test_a_pod_that_reports_nothing_of_the_upstream_is_no_prober() -> None:
    used = UsedBy("smtp", "smtp-relay", "main", reports=(UpstreamReport(name="main", provider="main"),), reporting=())
    assert due(replace(provider_view({}, T0, None), used_by=(used,)), 0) is None


def _ended_at(stage: str, **more: object) -> ProviderView:
    probe = {"time": 10, "stages": [{"stage": stage, "passed": False}]}
    return provider_view({"usedBy": [{"pods": [{"probe": probe, **more}]}]}, T0 + 10, None)


@pytest.mark.parametrize("stage", ["Connect", "TLS", "EHLO"])
def test_a_provider_that_was_not_reached_is_looked_at_again_soon_for_that_costs_no_login(stage: str) -> None:
    assert next_look(_ended_at(stage), 0.5) == pytest.approx(UNREACHED)


@pytest.mark.parametrize("stage", ["Auth", "Sender"])
def test_a_provider_that_refused_a_login_is_not_asked_before_the_interval(stage: str) -> None:
    assert next_look(_ended_at(stage), 0) == pytest.approx(INTERVAL)


def test_a_delivery_after_it_makes_an_unreached_provider_as_good_as_any() -> None:
    assert next_look(_ended_at("Connect", lastDelivery=11), 0) == pytest.approx(INTERVAL + 1)
