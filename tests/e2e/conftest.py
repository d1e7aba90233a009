"""Fixtures of the tests against a real API server: one cluster for all of them; the operator as the chart installs it
there, with the definitions; and a stage of each module's own, with apps and providers as pods.
"""

import os
from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster, running_cluster
from tests.support.e2e.canaries import SEARCHED, search
from tests.support.e2e.release import Images, Release, build_images, installed
from tests.support.e2e.stage import Stage
from tests.support.repository import REPOSITORY

CRDS = REPOSITORY / "crds"
LAST = ("test_no_secret_told", "test_listed_namespaces")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First the demo, on a cluster that has never seen us; then tests of the API server alone, before there is an
    operator that would answer what they write; then the others; what looks back at them; what replaces the operator.
    """
    here = [item for item in items if "tests/e2e/" in item.nodeid]
    ordered = iter(sorted(here, key=_turn))
    items[:] = [next(ordered) if "tests/e2e/" in item.nodeid else item for item in items]


def _turn(item: pytest.Item) -> int:
    if "test_demo_cluster" in item.nodeid:
        return 0
    for at, name in enumerate(LAST, 3):
        if name in item.nodeid:
            return at
    return 2 if "release" in getattr(item, "fixturenames", ()) else 1


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of the session, as it was found."""
    with running_cluster() as found:
        yield found


@pytest.fixture(scope="session")
def definitions(cluster: Cluster) -> Cluster:
    """The cluster with this tree's CRDs and no operator, for tests of the API server alone. They come first."""
    cluster.ask("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    cluster.ask("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    return cluster


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> Images:
    """Both images of this tree, in the cluster."""
    return build_images(cluster)


@pytest.fixture(scope="session")
def release(cluster: Cluster, images: Images) -> Iterator[Release]:
    """The operator, installed by the chart for every namespace, on a cluster that has never seen Mailhaul."""
    if not os.environ.get("MAILHAUL_E2E_KEEP"):
        cluster.ask("delete", "--ignore-not-found", "--timeout=60s", "-f", str(CRDS))
    with installed(Release(cluster, images)) as found:
        yield found
        assert search(cluster, found.namespace, found.namespace) == []


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the module's own."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="module")
def open_stage(release: Release, namespace: str) -> Iterator[Stage]:
    """A namespace that the operator serves; no secret is told in it."""
    SEARCHED.staged.add(namespace)
    yield Stage(release.cluster, namespace, release.images.relay)
    assert search(release.cluster, namespace, release.namespace) == []


@pytest.fixture(scope="module")
def stage(open_stage: Stage) -> Stage:
    """The same with pods of the restricted profile only."""
    open_stage.cluster.ask("label", "namespace", open_stage.namespace, "pod-security.kubernetes.io/enforce=restricted")
    return open_stage
