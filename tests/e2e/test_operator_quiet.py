"""In an unchanged world the operator writes nothing: not by looking again, not after it was killed. The world has
providers with and without a credential, and a relay with a fault that lasts.

What was written is asked of the API server (resourceVersions) and of the operator's own count of requests.
"""

import time
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e import resources
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WORLD = """
apiVersion: mailhaul.dev/v1alpha1
kind: UpstreamProvider
metadata: {name: inbox}
spec: {type: capture}
---
apiVersion: mailhaul.dev/v1alpha1
kind: SmtpRelay
metadata: {name: kept}
spec:
  upstreams: [{providerRef: {name: inbox}}]
  aliases: {domains: [{name: example.com}]}
---
apiVersion: mailhaul.dev/v1alpha1
kind: SmtpRelay
metadata: {name: passing}
spec:
  queue: {mode: Ephemeral}
  upstreams: [{providerRef: {name: inbox}}]
---
apiVersion: mailhaul.dev/v1alpha1
kind: MailAlias
metadata: {name: sales}
spec:
  relayRef: {name: kept}
  addresses: [{value: sales@example.com}]
  destinations: [{name: alice, mailbox: {address: alice@elsewhere.example}}]
"""
KINDS = (
    "smtprelays,upstreams,aliases,configmaps,services,serviceaccounts,secrets,statefulsets,deployments,networkpolicies"
)
WATCHED_FOR = 70.0
"""Seconds: longer than anything is kept that is read anew by and by, credentials and labels for a minute."""
WATCHED_AGAIN = 35.0
"""Seconds after a kill; a new operator has read everything anew by itself."""
STALLED_WITHIN = 200
"""A fault that lasts is told as such after two minutes."""
PASSWORD = "right-c15d90"


@pytest.fixture(scope="module")
def world(stage: Stage) -> Iterator[Stage]:
    """Three relays, Ready, an alias, and a relay whose Service's name is taken by somebody else, told as lasting."""
    taken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"}, "spec": {"ports": [{"port": 25}]}}
    stage.apply(taken, resources.relay(["inbox"], "taken"))
    host = stage.provider("provider", auth=(resources.USER, PASSWORD)).host
    stage.apply(resources.secret("credential", PASSWORD), resources.provider("smtp", host, secret="credential"))
    stage.apply(resources.relay(["smtp"], "mailing"))
    namespaced = WORLD.replace("relayRef: {name: kept}", f"relayRef: {{name: kept, namespace: {stage.namespace}}}")
    stage.apply(namespaced)
    for relay in ("kept", "passing", "mailing"):
        stage.wait_condition(f"smtprelay/{relay}", "Ready", "True", seconds=90)
    stage.wait_condition("mailalias/sales", "Ready", "True", seconds=30)
    stage.wait_condition("upstream/smtp", "Ready", "True", seconds=30)
    stage.wait_condition("smtprelay/taken", "Stalled", "True", "NameTaken", seconds=STALLED_WITHIN)
    stage.until(
        lambda: _nothing_goes(stage), 90, lambda: "namespaces of earlier tests are still going, with their relays"
    )
    time.sleep(5)
    yield stage
    stage.ask("delete", "smtprelays,upstreams,aliases", "--all")


def _nothing_goes(stage: Stage) -> bool:
    return all(one["status"]["phase"] == "Active" for one in stage.cluster.get("namespaces")["items"])


def versions(stage: Stage) -> dict[str, str]:
    """The resourceVersion of everything that the operator writes; a pod's start or probe is not its doing."""
    found = stage.get(KINDS)["items"]
    own = [one for one in found if one["kind"] not in {"StatefulSet", "Deployment"}]
    workloads = [one for one in found if one["kind"] in {"StatefulSet", "Deployment"}]
    known = {f"{one['kind']} {one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in own}
    return known | {f"{one['kind']} {one['metadata']['name']}": str(one["metadata"]["generation"]) for one in workloads}


def _changed(stage: Stage, before: dict[str, str]) -> list[str]:
    after = versions(stage)
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def writes(cluster: Cluster, release: Release) -> dict[str, float]:
    """The operator's own count of requests that were to change something."""
    path = f"/api/v1/namespaces/{release.namespace}/pods/{release.pod()}:9090/proxy/metrics"
    lines = cluster.ask("get", "--raw", path).splitlines()
    counts = dict(line.rsplit(" ", 1) for line in lines if line.startswith("mailhaul_operator_api_requests_total"))
    reads = ('verb="get"', 'verb="list"', 'verb="discover"')
    return {name: float(count) for name, count in counts.items() if not any(one in name for one in reads)}


def test_looking_again_writes_nothing(cluster: Cluster, release: Release, world: Stage) -> None:
    before, counted = versions(world), writes(cluster, release)
    time.sleep(WATCHED_FOR)
    assert versions(world) == before, _changed(world, before)
    assert writes(cluster, release) == counted


def test_an_operator_that_was_killed_writes_nothing_when_it_is_back(
    cluster: Cluster, release: Release, world: Stage
) -> None:
    before, old = versions(world), release.pod()
    release.hear()
    cluster.ask("delete", "pod", old, "-n", release.namespace, "--force", "--grace-period=0")
    world.until(lambda: leads(cluster, release, old), 90, release.log)
    time.sleep(WATCHED_AGAIN)
    assert versions(world) == before, _changed(world, before)
    assert sum(writes(cluster, release).values()) == 0


def leads(cluster: Cluster, release: Release, old: str) -> bool:
    """Whether another pod than the old one holds the lease."""
    pod = release.pod()
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}:8080/proxy/healthz"
    return pod != old and cluster.kubectl("get", "--raw", path).out.startswith("leading")


def test_an_operator_of_a_few_relays_is_small(cluster: Cluster, release: Release, world: Stage) -> None:
    path = f"/api/v1/namespaces/{release.namespace}/pods/{release.pod()}:9090/proxy/metrics"
    lines = cluster.ask("get", "--raw", path).splitlines()
    resident = next(float(line.split()[1]) for line in lines if line.startswith("process_resident_memory_bytes"))
    print(f"the operator takes {resident / 1e6:.1f} MB")
    assert resident < 100e6, "90 MB is the bound with none, which `make bench-operator` measures"
