"""A queue's volume is made larger under a relay that holds mail: only a new StatefulSet can say so, and its pod, its
claim and the mail in it stay. Where the class allows no growth that is told, and the relay goes on as it was.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.e2e import resources
from tests.support.e2e.kstatus import concluded
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RELAY = "smtprelay/relay"
CLAIM = "pvc/spool-relay-0"
LATER = "451 4.3.0 later"
HELD = 20


@pytest.fixture(scope="module")
def growing(stage: Stage) -> Iterator[str]:
    """The cluster's usual class, of volumes that may grow."""
    yield from _class(stage, "growing", grows=True)


@pytest.fixture(scope="module")
def fixed(stage: Stage) -> Iterator[str]:
    """The same, of volumes that may not, yet."""
    yield from _class(stage, "fixed", grows=False)


def _class(stage: Stage, word: str, *, grows: bool) -> Iterator[str]:
    classes = stage.cluster.get("storageclasses")["items"]
    usual = next(one for one in classes if "is-default-class" in str(one["metadata"].get("annotations")))
    name = f"{word}-{stage.namespace}"
    kept = {key: usual[key] for key in ("apiVersion", "kind", "provisioner", "volumeBindingMode")}
    stage.apply({**kept, "metadata": {"name": name}, "allowVolumeExpansion": grows})
    yield name
    stage.ask("delete", "storageclass", name)


def test_a_volume_grows_under_a_relay_that_holds_mail(stage: Stage, growing: str) -> None:
    stage.app()
    provider = stage.provider("provider")
    provider.behave(mail=LATER)
    storage = {"size": "1Gi", "storageClassName": growing}
    queue = {"retry": {"initial": "1s", "max": "5s"}, "storage": storage}
    stage.apply(resources.provider("provider", provider.host), resources.relay(["provider"], queue=queue))
    stage.until(lambda: stage.exists("pod/relay-0"), 30)
    held = stage.accepted(Mail("held", count=HELD))
    pod, claim, workload = stage.identity("relay-0"), _uid(stage, CLAIM), _uid(stage, "statefulset/relay")

    began = time.monotonic()
    _resize(stage, "2Gi")
    stage.until(
        lambda: _asked(stage) == "2Gi" and _templates(stage) == ["2Gi"], 30, lambda: stage.ask("get", "pvc,sts")
    )
    print(f"claim and StatefulSet ask for 2Gi {time.monotonic() - began:.1f} s after the change")
    assert _uid(stage, "statefulset/relay") != workload, "the claims of a StatefulSet cannot be changed in place"
    meanwhile = stage.accepted(Mail("meanwhile", count=5))

    provider.behave()
    provider.wait_subjects([*held, *meanwhile], 30)
    assert (stage.identity("relay-0"), _uid(stage, CLAIM)) == (pod, claim)
    stage.wait_condition(RELAY, "Ready", "True", "MailLeaves", seconds=20)
    assert concluded(stage, RELAY) == "Current"


def test_the_new_statefulset_makes_its_pod_anew_on_the_same_volume(stage: Stage) -> None:
    provider = stage.provider("other")
    provider.behave(mail=LATER)
    _switch(stage, provider.host)
    owed, claim = stage.accepted(Mail("owed", count=HELD)), _uid(stage, CLAIM)
    stage.delete_pod("relay-0", "--wait=true", "--timeout=60s")
    stage.until(lambda: stage.kubectl("wait", "--for=condition=Ready", "pod/relay-0", "--timeout=1s").code == 0, 60)
    assert _uid(stage, CLAIM) == claim
    provider.behave()
    provider.wait_subjects(owed, 30)


def test_a_class_that_allows_no_growth_is_told_and_mail_leaves(stage: Stage, fixed: str) -> None:
    provider = stage.provider("third")
    spec = resources.relay(["third"], "fixed", queue={"storage": {"size": "1Gi", "storageClassName": fixed}})
    stage.apply(resources.provider("third", provider.host), spec)
    stage.wait_condition("smtprelay/fixed", "Ready", "True")
    workload = _uid(stage, "statefulset/fixed")

    _resize(stage, "2Gi", "fixed")
    took = stage.until(lambda: "does not allow volume expansion" in _told(stage), 15, lambda: _told(stage))
    print(f"told {took:.1f} s after the change:\n{_told(stage)}")
    assert "allowVolumeExpansion: true" in _told(stage)
    provider.wait_subjects(stage.accepted(Mail("all the same"), "fixed"), 20)
    assert _uid(stage, "statefulset/fixed") == workload

    stage.ask("patch", "storageclass", fixed, "--type=merge", "-p", '{"allowVolumeExpansion": true}')
    stage.until(lambda: "volume expansion" not in _told(stage), 30, lambda: _told(stage))
    stage.until(lambda: concluded(stage, "smtprelay/fixed") == "Current", 15, lambda: _told(stage))


def _resize(stage: Stage, size: str, relay: str = "relay") -> None:
    patch = {"spec": {"queue": {"storage": {"size": size}}}}
    stage.ask("patch", f"smtprelay/{relay}", "--type=merge", "-p", json.dumps(patch))


def _switch(stage: Stage, host: str) -> None:
    stage.ask("patch", "upstream/provider", "--type=merge", "-p", json.dumps({"spec": {"host": host}}))
    stage.until(lambda: host in stage.get("configmap/relay-mailhaul")["data"]["relay.v1.json"], 20)
    stage.wait_condition(RELAY, "ConfigApplied", "True", seconds=20)


def _uid(stage: Stage, what: str) -> str:
    return str(stage.get(what)["metadata"]["uid"])


def _asked(stage: Stage) -> str:
    return _size(stage.get(CLAIM)["spec"])


def _templates(stage: Stage) -> list[str]:
    found = stage.kubectl("get", "statefulset/relay", "-o", "json")
    if found.code != 0:
        return []
    return [_size(one["spec"]) for one in json.loads(found.out)["spec"]["volumeClaimTemplates"]]


def _size(spec: Any) -> str:  # noqa: ANN401 - any JSON value
    return str(spec["resources"]["requests"]["storage"])


def _told(stage: Stage) -> str:
    conditions = stage.get("smtprelay/fixed")["status"]["conditions"]
    return "\n".join(json.dumps([one["type"], one["status"], one["reason"], one["message"]]) for one in conditions)
