"""End-to-end modules side by side: each process of a run with `-n auto` (pytest-xdist) is a lane with a cluster of its
own, so that no test sees another's operator, node or definitions.

The hooks of tests/e2e/conftest.py use it. The process that deals the modules out starts the clusters before the lanes
begin, and stops them when they are gone, whatever ended the run; a lane finds its cluster up and leaves it up. A second
cluster takes a command that keeps each where `CLUSTER_STATE` says, reached at `CLUSTER_PORT` of loopback. Whatever else
the tests run against is one cluster, hence one lane: a run as without `-n`.
"""

import fcntl
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.cluster import running_cluster, told
from tests.support.free_ports import free_port
from tests.support.repository import REPOSITORY

LANES = 2
"""As many as a machine of two cores takes with the bounds of the tests, which are seconds."""
APART = shlex.quote(str(Path(__file__).with_name("apart")))
"""Keeps the node of a second cluster from the pods of the first one."""


def lane_count() -> int:
    """How many processes `-n auto` is here; none means that one cluster is all there is, and xdist is of no use."""
    wanted = int(os.environ.get("MAILHAUL_E2E_LANES", LANES))
    first = _state()
    beside = f"{first}-1"
    return wanted if wanted > 1 and first and _told_state(beside) == beside else 0


def lane_variables(lane: int) -> Mapping[str, str]:
    """What the environment of a lane has besides that of the run. The first lane is the cluster of any other run."""
    if lane == 0:
        return {}
    return {"CLUSTER_STATE": f"{_state()}-{lane}", "CLUSTER_PORT": str(free_port())}


@contextmanager
def clusters_of(lanes: Sequence[Mapping[str, str]]) -> Iterator[None]:
    """Have a cluster up for each of these lanes. One that was up before is left up."""
    with ExitStack() as stack:
        for variables in lanes:
            command = (
                f"{APART} {os.environ['MAILHAUL_E2E_CLUSTER']}" if variables else os.environ["MAILHAUL_E2E_CLUSTER"]
            )
            stack.enter_context(running_cluster({**os.environ, **variables, "MAILHAUL_E2E_CLUSTER": command}))
        yield


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Make what the machine keeps (layers of images, compiled controllers) while other lanes wait, and find it made."""
    folder = os.open(REPOSITORY, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _state() -> str:
    """Where the command keeps the cluster of the first lane; empty when none says so."""
    return _told_state(os.environ.get("CLUSTER_STATE", ""))


def _told_state(asked: str) -> str:
    """Where the command would keep a cluster when CLUSTER_STATE says this: the folder of its kubeconfig."""
    command = tuple(shlex.split(os.environ.get("MAILHAUL_E2E_CLUSTER", "")))
    if os.environ.get("MAILHAUL_E2E_KUBECONFIG") or not command or shutil.which(command[0]) is None:
        return ""
    environment = told(command, {**os.environ, **({"CLUSTER_STATE": asked} if asked else {})})
    return str(Path(environment["KUBECONFIG"]).parent) if environment else ""
