"""Relays under another operator than the one that made them: one whose image is left alone takes every change of the
configuration without a restart; one that follows is rolled replica by replica, and an image that does not come stops
no mail.
"""

import json

import pytest
from tests.support.e2e import resources
from tests.support.e2e.canaries import RELAYS, hear
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ABSENT = {"image": {"repository": "localhost/mailhaul-relay", "tag": "of-another-time"}}
"""An image that no cluster has."""


def test_an_old_relay_goes_on_under_a_new_operator(release: Release, stage: Stage) -> None:
    stage.app()
    one, two = stage.provider("one"), stage.provider("two")
    stage.apply(resources.provider("provider", one.host))
    stage.apply(resources.relay(["provider"], "manual", upgradePolicy="Manual"))
    stage.apply(resources.relay(["provider"], "follows", replicas=2))
    for name in ("manual", "follows"):
        stage.wait_condition(f"smtprelay/{name}", "Ready", "True")
    manual, first = _uid(stage, "manual-0"), _uid(stage, "follows-0")
    hear(stage.cluster, stage.namespace, "-l", RELAYS)
    try:
        release.install("--set-json", f"relay={json.dumps(ABSENT)}")
        _switched(stage, two.host)
        stage.accepted(Mail("old relay"), "manual")
        two.wait_subjects(["old relay 0"], 20)
        took = stage.until(lambda: "ImagePull" in _told(stage), 60, lambda: _told(stage))
        print(f"the missing image is told after {took:.1f} s:\n{_told(stage)}")
        assert "follows-1" in _told(stage)
        assert _uid(stage, "follows-0") == first
        sent = stage.accepted(Mail("half", count=5), "follows")
        stage.until(lambda: set(sent) <= set(two.subjects()), 20)
    finally:
        release.install()
    took = stage.until(lambda: _whole(stage), 90, lambda: _told(stage))
    print(f"whole again {took:.1f} s after the image is back")
    assert _uid(stage, "manual-0") == manual


def _switched(stage: Stage, host: str) -> None:
    """Switch the provider; the relay that is left alone runs it."""
    stage.ask("patch", "upstream/provider", "--type=merge", "-p", json.dumps({"spec": {"host": host}}))

    def runs_it() -> bool:
        status = stage.get("smtprelay/manual")["status"]
        text = stage.get("configmap/manual-mailhaul")["data"]["relay.v1.json"]
        applied = [one["status"] for one in status["conditions"] if one["type"] == "ConfigApplied"]
        return host in text and applied == ["True"] and status["config"]["appliedReplicas"] == 1

    print(f"the switch is live {stage.until(runs_it, 30, lambda: _told(stage)):.1f} s after it")


def _whole(stage: Stage) -> bool:
    status = stage.get("smtprelay/follows")["status"]
    return status["readyReplicas"] == 2 and "ImagePull" not in _told(stage)


def _told(stage: Stage) -> str:
    conditions = stage.get("smtprelay/follows")["status"]["conditions"]
    return "\n".join(json.dumps([one["type"], one["status"], one["reason"], one["message"]]) for one in conditions)


def _uid(stage: Stage, pod: str) -> str:
    return str(stage.get("pod", pod)["metadata"]["uid"])
