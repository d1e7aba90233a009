"""Fixtures of the tests against a real API server: one cluster for all of them, with our CRDs in it."""

from collections.abc import Iterator

import pytest
from tests.support.cluster import Cluster, running_cluster
from tests.support.repository import REPOSITORY


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of the session, with this tree's CRDs applied and established."""
    with running_cluster() as found:
        found.ask("apply", "--server-side", "--force-conflicts", "-f", str(REPOSITORY / "crds"))
        found.ask("wait", "--for=condition=Established", "--timeout=30s", "-f", str(REPOSITORY / "crds"))
        yield found


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the module's own."""
    with cluster.namespace() as name:
        yield name
