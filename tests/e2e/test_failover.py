"""Item 5: a provider is down for longer than its breaker waits; the second takes over, and the first comes back."""

import time

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DOWN = 15
"""Seconds; a breaker waits for 10 to 12 before it tries again, and for 30 to 36 after that."""


def test_the_second_provider_takes_over_and_the_first_comes_back(stage: Stage) -> None:
    stage.app()
    first, second = stage.provider("first"), stage.provider("second")
    stage.apply(resources.provider("first", first.host), resources.provider("second", second.host))
    stage.apply(resources.relay(["first", "second"]))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    pod = stage.identity("relay-0")
    _sent(stage, "before")
    first.wait_subjects(["before 0"], 10)

    stage.ask("delete", "pod", "first", "--wait=true")
    began = time.monotonic()
    subjects = _sent(stage, "meanwhile")
    took = second.wait_subjects(subjects, 20)
    print(f"delivered by the second {took:.1f} s after the first one's end was met")
    told = stage.wait_condition("smtprelay/relay", "UpstreamsReady", "False", "ConnectionFailed", seconds=15)
    print(f"told {told:.1f} s later")
    assert stage.condition("smtprelay/relay", "Ready")["status"] == "True"
    assert "refused" in stage.ask("get", "upstreams", "first")
    while time.monotonic() - began < DOWN:
        subjects += _sent(stage, f"later {len(subjects)}")
        time.sleep(2)
    second.wait_subjects(subjects, 10)

    back = stage.provider("first")
    returned = time.monotonic()
    while not back.subjects():
        assert time.monotonic() - returned < 60, stage.ask("get", "smtprelays,upstreams")
        subjects += _sent(stage, f"again {len(subjects)}")
        time.sleep(1)
    print(f"back at the first {time.monotonic() - returned:.1f} s after it came back")
    stage.until(lambda: len(second.subjects()) + len(back.subjects()) == len(subjects), 10)
    assert sorted((*second.subjects(), *back.subjects())) == sorted(subjects)
    stage.wait_condition("smtprelay/relay", "UpstreamsReady", "True", seconds=15)
    stage.wait_condition("upstream/first", "Ready", "True", seconds=15)
    assert stage.identity("relay-0") == pod


def _sent(stage: Stage, subject: str) -> list[str]:
    return stage.accepted(Mail(subject))
