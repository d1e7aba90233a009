"""When a pass comes again: soon while something turns, ever later while nothing does, and never all at once."""

from datetime import UTC, datetime

import pytest
from tests.support.cluster_objects import provider, relay, secret
from tests.support.running_relay import RELAY, RunningRelay
from tests.support.writable_server import WritableServer

from mailhaul_operator.api.conditions import Condition, ConditionStatus
from mailhaul_operator.assess.progress import GRACE
from mailhaul_operator.reconcile.memory import Memory
from mailhaul_operator.reconcile.pace import (
    LOOKS,
    RESYNC,
    STEADY,
    STEADY_AT_MOST,
    TURNED,
    WAITING,
    after_status,
    after_told,
    resync,
    steady,
)

NOON = 1_795_262_400.0


def conditions(**status: bool) -> list[Condition]:
    """Conditions that turned at noon."""
    at = datetime.fromtimestamp(NOON, UTC)
    return [
        Condition(
            type=name,
            status=ConditionStatus.TRUE if one else ConditionStatus.FALSE,
            last_transition_time=at,
            reason="R",
            message="m",
        )
        for name, one in status.items()
    ]


def test_a_resync_has_jitter() -> None:
    assert resync(0) == pytest.approx(0.8 * RESYNC)
    assert resync(0.999) == pytest.approx(1.2 * RESYNC, rel=0.01)


def test_what_is_ready_waits_for_the_resync_and_what_is_stalled_for_less() -> None:
    assert after_status(conditions(Ready=True), NOON + 1e6, 0.5) == RESYNC
    assert after_status(conditions(Ready=False, Stalled=True), NOON + 1e6, 0.5) == RESYNC / 10


@pytest.mark.parametrize(("age", "wait"), [(0, WAITING), (20, WAITING), (100, 25), (150, 37.5), (151, RESYNC)])
def test_what_is_not_ready_is_looked_at_ever_later_while_nothing_turns(age: float, wait: float) -> None:
    assert after_status(conditions(Ready=False), NOON + age, 0.5) == wait
    assert after_status(conditions(Ready=True, Reconciling=True), NOON + age, 0.5) == wait


def test_the_grace_of_a_status_ends_before_the_looks_do() -> None:
    assert TURNED > GRACE + WAITING


@pytest.mark.parametrize("age", [0, 1, 60, GRACE - 1])
def test_an_alias_is_looked_at_again_just_after_its_grace_has_ended(age: float) -> None:
    assert GRACE < age + after_told(conditions(Ready=False), NOON + age, 0.0) <= GRACE + WAITING
    assert GRACE < age + after_told(conditions(Ready=False), NOON + age, 0.999) <= GRACE + WAITING


@pytest.mark.parametrize("age", [GRACE, 1e6])
def test_an_alias_without_grace_left_waits_to_be_told(age: float) -> None:
    assert after_told(conditions(Ready=False), NOON + age, 0.5) == RESYNC
    assert after_told(conditions(Ready=False, Stalled=True), NOON + age, 0.5) == RESYNC


def test_an_alias_that_is_ready_waits_for_the_resync() -> None:
    assert after_told(conditions(Ready=True), NOON, 0.5) == RESYNC


def test_pods_are_asked_at_a_rate_that_many_relays_do_not_raise() -> None:
    assert steady(1) == STEADY
    assert steady(200) == 200 / LOOKS == 10
    assert steady(100_000) == STEADY_AT_MOST


async def test_a_failing_credential_among_very_many_relays_is_looked_at_as_if_it_were_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mended Secret brings no edge cluster-wide: whoever waits for it is not to wait for a thousand others."""
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    operator = RunningRelay(WritableServer(provider("main", "account"), relay("one", "main"), account), monkeypatch)
    monkeypatch.setattr(Memory, "running", 1000)
    await operator.run()
    assert operator.again[RELAY] == steady(1000)
    operator.reports["one-0"] = {"upstreams": [{"name": "main", "provider": "main", "credential": "Refused"}]}
    await operator.later(5, times=2)
    assert operator.again[RELAY] == STEADY
