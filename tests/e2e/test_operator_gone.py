"""Item 11: the operator uninstalled: relays go on, resources and namespaces stay deletable; a namespace that is deleted
in one go does not hang, with the operator or without.
"""

import time
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e import resources
from tests.support.e2e.canaries import search
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DELETED_WITHIN = 90.0


@pytest.fixture(scope="module")
def provider(stage: Stage) -> ProviderPod:
    """A relay that delivers, and another."""
    stage.app()
    made = stage.provider("provider")
    _mail(stage, made.host)
    stage.apply(resources.relay(["provider"], "other"))
    for name in ("relay", "other"):
        stage.wait_condition(f"smtprelay/{name}", "Ready", "True")
    return made


@pytest.fixture
def second(cluster: Cluster, release: Release, stage: Stage, provider: ProviderPod) -> Iterator[Stage]:
    """A second namespace with all kinds in it, to be deleted."""
    with cluster.namespace() as name:
        release.serve(name)
        made = Stage(cluster, name, stage.image)
        _mail(made, provider.host)
        made.wait_condition("smtprelay/relay", "Ready", "True")
        yield made


def test_a_namespace_is_deleted_in_one_go(release: Release, second: Stage) -> None:
    took = _delete_namespace(second, release)
    print(f"with the operator: {took:.1f} s")
    assert "a pass failed" not in release.log()


def test_relays_go_on_and_resources_stay_deletable_without_the_operator(
    release: Release, stage: Stage, provider: ProviderPod, second: Stage
) -> None:
    before = _pods(stage)
    release.uninstall()
    try:
        stage.accepted(Mail("on its own", count=5))
        provider.wait_subjects([f"on its own {number}" for number in range(5)], 20)
        assert _pods(stage) == before
        print(f"namespace without an operator: {_delete_namespace(second, release):.1f} s")
        began = time.monotonic()
        stage.ask("delete", "smtprelay/other", "alias/sales", "--timeout=20s")
        stage.until(lambda: stage.kubectl("get", "pod", "other-0").code != 0, 60)
        print(f"resources {time.monotonic() - began:.1f} s")
        left = stage.ask(
            "get", "configmaps,services,statefulsets,secrets", "-l", "mailhaul.dev/relay=other", "-o", "name"
        )
        assert left == ""
        assert stage.kubectl("get", "pvc", "spool-other-0").code == 0
    finally:
        release.install()
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves")
    assert _pods(stage) == {name: uid for name, uid in before.items() if name != "other-0"}
    stage.ask("patch", "smtprelay/relay", "--type=merge", "-p", '{"spec":{"limits":{"recipients":7}}}')
    took = stage.until(lambda: stage.get("smtprelay/relay")["status"]["observedGeneration"] == 2, 20)
    print(f"a change is seen {took:.1f} s after the operator is back")


def _mail(stage: Stage, host: str) -> None:
    domains = {"domains": [{"name": "example.com"}]}
    stage.apply(resources.provider("provider", host), resources.relay(["provider"], aliases=domains))
    stage.apply(resources.alias("sales", "sales@example.com", ["alice@example.net"]))


def _delete_namespace(stage: Stage, release: Release) -> float:
    assert search(stage.cluster, stage.namespace, release.namespace) == []
    began = time.monotonic()
    stage.cluster.ask("delete", "namespace", stage.namespace, f"--timeout={DELETED_WITHIN:.0f}s")
    return time.monotonic() - began


def _pods(stage: Stage) -> dict[str, str]:
    found = stage.get("pods", "-l", "app.kubernetes.io/name=mailhaul-relay")["items"]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}
