"""Item 6: a relay's pod killed by force under load, and the node's kubelet gone for a while. No mail is lost."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e import resources
from tests.support.e2e.load import doubled, load, lost
from tests.support.e2e.stage import ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KILLS = 3
FROZEN_SECONDS = 12.0
AT_A_TIME = 5
"""Connections of a relay to an upstream: a kill leaves so many mails at most without an answer to the final dot."""


@pytest.fixture(scope="module")
def provider(stage: Stage) -> ProviderPod:
    """A provider that takes its time, so that there is a queue, behind a relay that delivers."""
    stage.app()
    made = stage.provider("provider")
    made.behave(delay=0.1)
    connections = {"max": AT_A_TIME}
    stage.apply(resources.provider("provider", made.host, connections=connections), resources.relay(["provider"]))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    return made


def test_a_pod_killed_by_force_under_load_loses_no_mail(stage: Stage, provider: ProviderPod) -> None:
    claim = stage.get("pvc", "spool-relay-0")["metadata"]["uid"]
    with load(stage, "killed") as sending:
        for _ in range(KILLS):
            time.sleep(3)
            uid = stage.get("pod", "relay-0")["metadata"]["uid"]
            stage.delete_pod("relay-0", "--force", "--grace-period=0", "--wait=false")
            back = stage.until(lambda uid=uid: _ready_again(stage, uid), 60, lambda: _pods(stage))  # type: ignore[misc]
            print(f"ready again {back:.1f} s after the kill")
        time.sleep(1)
        owed = sending.stop()
    arrived = _all(stage, provider, "killed", owed.accepted)
    print(f"{KILLS} kills: {len(owed.accepted)} accepted, none lost, {doubled(arrived)} doubled, gap {owed.gap:.1f} s")
    assert lost(owed, arrived) == []
    assert doubled(arrived) <= KILLS * AT_A_TIME
    assert stage.get("pvc", "spool-relay-0")["metadata"]["uid"] == claim
    stage.wait_condition("smtprelay/relay", "Ready", "True", seconds=20)


def test_a_kubelet_that_is_gone_for_a_while_stops_no_mail(stage: Stage, provider: ProviderPod) -> None:
    before = stage.get("pod", "relay-0")["metadata"]["uid"]
    with load(stage, "frozen") as sending:
        _flows(stage, provider, "frozen")
        with _without_kubelet(stage.cluster):
            _change(stage, provider, 20)
            stage.wait_condition("smtprelay/relay", "ConfigApplied", "Unknown", "ConfigPending", seconds=10)
            said = stage.condition("smtprelay/relay", "ConfigApplied")
            print(said["message"])
            time.sleep(FROZEN_SECONDS)
            assert stage.condition("smtprelay/relay", "Ready")["status"] == "True"
        took = stage.wait_condition("smtprelay/relay", "ConfigApplied", "True", seconds=60)
        owed = sending.stop()
    print(f"the change was live {took:.1f} s after the kubelet came back")
    arrived = _all(stage, provider, "frozen", owed.accepted)
    assert (lost(owed, arrived), doubled(arrived), owed.refused) == ([], 0, 0)
    assert stage.get("pod", "relay-0")["metadata"]["uid"] == before


def test_a_pod_forgotten_while_the_kubelet_is_gone_keeps_its_queue(stage: Stage, provider: ProviderPod) -> None:
    """The API server makes the successor while the old container still runs, on the same volume."""
    with load(stage, "forgotten") as sending:
        _flows(stage, provider, "forgotten")
        with _without_kubelet(stage.cluster):
            before = stage.get("pod", "relay-0")["metadata"]["uid"]
            stage.delete_pod("relay-0", "--force", "--grace-period=0", "--wait=false")
            time.sleep(FROZEN_SECONDS / 2)
        back = stage.until(lambda: _ready_again(stage, before), 90, lambda: _pods(stage))
        time.sleep(2)
        owed = sending.stop()
    arrived = _all(stage, provider, "forgotten", owed.accepted)
    print(f"ready {back:.1f} s after the kubelet came back; {len(owed.accepted)} accepted, {doubled(arrived)} doubled")
    assert lost(owed, arrived) == []
    assert doubled(arrived) <= AT_A_TIME
    assert stage.get("pod", "relay-0")["status"]["containerStatuses"][0]["restartCount"] <= 1


def _flows(stage: Stage, provider: ProviderPod, name: str) -> None:
    """Wait for the first mail: it is the kubelet that lets the app's program begin."""
    stage.until(lambda: any(one.startswith(f"{name} ") for one in provider.subjects()), 20)


@contextmanager
def _without_kubelet(cluster: Cluster) -> Iterator[None]:
    """Freeze the node's kubelet for a time; only a cluster whose command speaks `signal` can."""
    if not cluster.command or _signal(cluster, "CONT") != 0:
        pytest.skip("needs a cluster whose command (MAILHAUL_E2E_CLUSTER) speaks `signal STOP kubelet`")
    assert _signal(cluster, "STOP") == 0
    try:
        yield
    finally:
        assert _signal(cluster, "CONT") == 0


def _signal(cluster: Cluster, name: str) -> int:
    command = [*cluster.command, "signal", name, "kubelet"]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode


def _change(stage: Stage, provider: ProviderPod, limit: int) -> None:
    """A change of the configuration that moves no mail."""
    connections = {"max": AT_A_TIME, "messagesPerConnection": limit}
    stage.apply(resources.provider("provider", provider.host, connections=connections))


def _ready_again(stage: Stage, before: str) -> bool:
    """Whether another pod than the one with this uid is ready."""
    found = stage.kubectl(
        "get", "pod", "relay-0", "-o", "jsonpath={.metadata.uid} {.status.conditions[?(@.type=='Ready')].status}"
    )
    uid, _, ready = found.out.partition(" ")
    return found.code == 0 and uid != before and ready == "True"


def _all(stage: Stage, provider: ProviderPod, name: str, owed: tuple[str, ...]) -> list[str]:
    """Subjects of what arrived, when all that is owed has, and a moment for what would come twice."""

    def arrived() -> list[str]:
        return [one for one in provider.subjects() if one.startswith(f"{name} ")]

    stage.until(
        lambda: set(owed) <= set(arrived()), 60, lambda: f"{len(set(owed) - set(arrived()))} of {len(owed)} are missing"
    )
    time.sleep(3)
    return arrived()


def _pods(stage: Stage) -> str:
    return stage.kubectl("get", "pods,smtprelays", "-o", "wide").out
