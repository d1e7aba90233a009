"""Fixtures of the tests against a real API server: one cluster for all of them, with our CRDs in it; the operator as
the chart installs it; and a stage of each module's own, with apps and providers as pods.
"""

from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster, running_cluster
from tests.support.e2e.release import Images, Release, build_images, installed
from tests.support.e2e.stage import Stage
from tests.support.repository import REPOSITORY


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of the session, with this tree's CRDs applied and established."""
    with running_cluster() as found:
        found.ask("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))
        found.ask("wait", "--for=condition=Established", "--timeout=30s", "-f", str(REPOSITORY / "crds"))
        yield found


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> Images:
    """Both images of this tree, in the cluster."""
    return build_images(cluster)


@pytest.fixture(scope="session")
def release(cluster: Cluster, images: Images) -> Iterator[Release]:
    """The operator, installed by the chart for every namespace."""
    with installed(Release(cluster, images)) as found:
        yield found


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the module's own."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="module")
def stage(release: Release, namespace: str) -> Stage:
    """A namespace that the operator serves, with pods of the restricted profile only."""
    release.cluster.ask("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    return Stage(release.cluster, namespace, release.images.relay)
