"""Fixtures of the tests against a real API server: one cluster for all of them; the operator as the chart installs it
there, with the definitions; and a stage of each module's own, with apps and providers as pods.

With `-n auto --dist loadfile --no-loadscope-reorder` modules run side by side, in the same order: each process has all
of this for itself (tests/support/e2e/lanes.py).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from tests.support.cluster import Cluster, running_cluster
from tests.support.e2e.canaries import SEARCHED, search
from tests.support.e2e.lanes import clusters_of, lane_count, lane_variables
from tests.support.e2e.release import LISTED, Images, Release, build_images, installed
from tests.support.e2e.stage import Stage
from tests.support.repository import REPOSITORY

CRDS = REPOSITORY / "crds"
LANES = pytest.StashKey[list[Mapping[str, str]]]()
"""What each process of this run has in its environment besides."""
LONGEST = (
    *("flux", "external_secrets", "drift", "operator_quiet", "operator_killed", "wrong_password", "listed_namespaces"),
    *("status_order", "drift_of_secrets", "listeners_in_cluster", "operator_gone", "relay_pod_faults"),
    *("operator_upgraded", "storage_grown", "queue_in_cluster", "upstream_auth_in_cluster", "seed_002", "failover"),
    *("credential_rotation", "shrinking", "routes_in_cluster"),
)
"""Modules of more than a minute: begun first, so that no process is left with one when the others have ended."""
OF_ALL_NAMESPACES = ("demo_cluster", "documents_in_cluster", "rights_refused", "listed_namespaces")
"""Modules that are about a release of all namespaces, or bring one of listed namespaces themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First the demo, on a cluster that has never seen us; then tests of the API server alone, before there is an
    operator that would answer what they write; then the others, long ones first; then what looks back at them.
    """
    if os.environ.get("MAILHAUL_E2E_SCOPE", "") == LISTED:
        items[:] = [item for item in items if item.path.stem.removeprefix("test_") not in OF_ALL_NAMESPACES]
    here = [item for item in items if "tests/e2e/" in item.nodeid]
    ordered = iter(sorted(here, key=_turn))
    items[:] = [next(ordered) if "tests/e2e/" in item.nodeid else item for item in items]


def _turn(item: pytest.Item) -> tuple[int, int]:
    name = item.path.stem.removeprefix("test_")
    if name == "demo_cluster":
        return 0, 0
    if name == "no_secret_told":
        return 3, 0
    if "release" not in getattr(item, "fixturenames", ()):
        return 1, 0
    return 2, LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many processes as there can be clusters."""
    return lane_count()


def pytest_sessionstart(session: pytest.Session) -> None:
    """The process that deals the modules out has the clusters up before the others begin, and down after them."""
    lanes = session.config.getoption("numprocesses", None)
    if not lanes or session.config.getoption("collectonly"):
        return
    if lanes != lane_count():
        raise pytest.UsageError("end-to-end tests run side by side with `-n auto`, and one by one without -n")
    variables = session.config.stash[LANES] = [lane_variables(lane) for lane in range(lanes)]
    writer = session.config.get_terminal_writer()
    writer.line(f"starting {lanes} clusters; the first one on a machine takes ten minutes", flush=True)
    stack = ExitStack()
    session.config.add_cleanup(stack.close)
    try:
        stack.enter_context(clusters_of(variables))
    except (pytest.fail.Exception, pytest.skip.Exception) as error:
        pytest.exit(f"no clusters for {lanes} processes: {error}", returncode=1)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist's WorkerController has no public name
    """Tell a process which cluster is its own."""
    node.workerinput["lane"] = node.config.stash[LANES][int(node.gateway.id.removeprefix("gw"))]


def pytest_configure(config: pytest.Config) -> None:
    """In a process of its own: take the cluster that it was told of."""
    os.environ.update(getattr(config, "workerinput", {}).get("lane", {}))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take note of the modules with a stage, all of which must have been searched in the end."""
    if "open_stage" in getattr(item, "fixturenames", ()):
        SEARCHED.modules.add(item.path.name)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster of the session, as it was found."""
    if "PYTEST_XDIST_WORKER" in os.environ and "lane" not in getattr(request.config, "workerinput", {}):
        pytest.fail("end-to-end tests run side by side by themselves only: pytest tests/e2e -n auto --dist loadfile")
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
    """The operator, installed by the chart for every namespace (or for listed ones, with `MAILHAUL_E2E_SCOPE=listed`),
    on a cluster that has never seen Mailhaul."""
    if not os.environ.get("MAILHAUL_E2E_KEEP"):
        cluster.ask("delete", "--ignore-not-found", "--timeout=60s", "-f", str(CRDS))
    with installed(Release.of_session(cluster, images)) as found:
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
    release.serve(namespace)
    yield Stage(release.cluster, namespace, release.images.relay)
    assert search(release.cluster, namespace, release.namespace) == []


@pytest.fixture(scope="module")
def stage(open_stage: Stage) -> Stage:
    """The same with pods of the restricted profile only."""
    open_stage.cluster.ask("label", "namespace", open_stage.namespace, "pod-security.kubernetes.io/enforce=restricted")
    return open_stage
