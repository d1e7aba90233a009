"""Shrinking strands no mail: a replica that is to go stays until what it holds is gone, and status says so."""

import json
import time

import pytest
from tests.support.e2e import resources
from tests.support.e2e.kstatus import concluded
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RELAY = "smtprelay/relay"
HELD = 5
DIRECT = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "direct"},
    "spec": {
        "selector": {"statefulset.kubernetes.io/pod-name": "relay-1"},
        "ports": [{"port": 25, "targetPort": 2525}],
    },
}
"""Leads to the replica that is to go, and to no other."""
HELD_SECONDS = 8.0


def test_a_leaving_replica_stays_until_its_mail_is_gone(stage: Stage) -> None:
    stage.app()
    provider = stage.provider("provider")
    stage.apply(resources.provider("provider", provider.host), resources.relay(["provider"], replicas=2))
    stage.until(lambda: stage.get(RELAY).get("status", {}).get("readyReplicas") == 2, 60)
    stage.apply(DIRECT)
    provider.behave(mail="451 4.3.0 later")
    stage.accepted(Mail("first"), "direct")
    owed = stage.accepted(Mail("on the leaving one", count=HELD), "direct")

    began = time.monotonic()
    stage.ask("scale", RELAY, "--replicas=1")
    stage.until(lambda: "relay-1 still holds" in _told(stage), 15, lambda: _told(stage))
    print(f"told {time.monotonic() - began:.1f} s after the change:\n{_told(stage)}")
    assert "ScalingDown" in _told(stage)
    assert concluded(stage, RELAY) == "InProgress"
    time.sleep(HELD_SECONDS)
    assert stage.get("statefulset", "relay")["spec"]["replicas"] == 2
    meanwhile = stage.accepted(Mail("meanwhile", count=10))
    _gone_when_mended(stage, provider, ["first 0", *owed, *meanwhile])


def _gone_when_mended(stage: Stage, provider: ProviderPod, owed: list[str]) -> None:
    began = time.monotonic()
    provider.behave()
    arrived = provider.wait_subjects(owed, 30)
    stage.until(lambda: stage.kubectl("get", "pod", "relay-1").code != 0, 60, lambda: _told(stage))
    print(f"all arrived {arrived:.1f} s after the mending; the replica was gone after {time.monotonic() - began:.1f} s")
    assert provider.subjects() == sorted(owed)
    stage.until(lambda: "ScalingDown" not in _told(stage), 15, lambda: _told(stage))
    assert stage.get("statefulset", "relay")["spec"]["replicas"] == 1
    assert stage.kubectl("get", "pvc", "spool-relay-1").code == 0
    stage.wait_condition(RELAY, "Ready", "True")


def test_a_change_of_mind_lets_the_replica_stay(stage: Stage) -> None:
    """It holds mail and drains; wanted again, it takes mail again."""
    stage.ask("scale", RELAY, "--replicas=2")
    stage.until(lambda: stage.get(RELAY)["status"].get("readyReplicas") == 2, 60, lambda: _told(stage))
    provider = ProviderPod(stage, "provider")
    before = stage.get("pod", "relay-1")["metadata"]["uid"]
    provider.behave(mail="451 4.3.0 later")
    stage.accepted(Mail("kept back"), "direct")
    stage.ask("scale", RELAY, "--replicas=1")
    stage.until(lambda: "relay-1 still holds" in _told(stage), 15, lambda: _told(stage))
    stage.ask("scale", RELAY, "--replicas=2")
    took = stage.until(lambda: stage.send(Mail("taken again"), relay="direct").accepted != (), 20, lambda: _told(stage))
    provider.behave()
    print(f"takes mail again {took:.1f} s after the change of mind")
    assert stage.get("pod", "relay-1")["metadata"]["uid"] == before
    stage.until(lambda: {"kept back 0", "taken again 0"} <= set(provider.subjects()), 30)


def _told(stage: Stage) -> str:
    conditions = stage.get(RELAY)["status"]["conditions"]
    return "\n".join(json.dumps([one["type"], one["status"], one["reason"], one["message"]]) for one in conditions)
