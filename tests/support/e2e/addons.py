"""Controllers of others in the tests' cluster: the real External Secrets operator and Flux's kustomize-controller.

The command that `MAILHAUL_E2E_CLUSTER` names starts them (`addon NAME`); a cluster without that command has none, and
the test skips and says so. Starting is idempotent: what answers is left alone. `published` is what a push would be.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e.lanes import one_at_a_time

START_SECONDS = 900
"""The first start on a machine compiles the controller."""
ANSWER_SECONDS = 60
METRICS = {"external-secrets": 8090, "flux": 8092}
"""Where each answers inside the cluster's node."""
STORED = "externalsecrets.external-secrets.io"


def start(cluster: Cluster, name: str) -> None:
    """Have an addon running; skips the test where the cluster has none."""
    if not cluster.command or "addon NAME" not in _command(cluster, "help").stdout:
        pytest.skip(f"needs {name}: the command of MAILHAUL_E2E_CLUSTER must speak `addon {name}`")
    if _answers(cluster, name):
        return
    with one_at_a_time():
        done = _command(cluster, "addon", name)
    assert done.returncode == 0, done.stderr[-2000:]
    deadline = time.monotonic() + ANSWER_SECONDS
    while not _answers(cluster, name):
        assert time.monotonic() < deadline, f"{name} does not answer: {_command(cluster, 'logs', name).stdout[-2000:]}"
        time.sleep(0.5)


@contextmanager
def served(cluster: Cluster, *versions: str) -> Iterator[None]:
    """Let the cluster serve ExternalSecrets in just these versions for a while; none is as if it were not installed.

    What is stored stays. Where the kind was never defined it stays so.
    """
    before = _served(cluster)
    try:
        _serve(cluster, {version: version in versions for version in before})
        yield
    finally:
        _serve(cluster, before)


def publisher(cluster: Cluster) -> Path:
    """Give the program that hands a folder to Flux, which lies beside the cluster's command."""
    program = Path(shutil.which(cluster.command[0]) or "").resolve().parent / "addons" / "flux" / "publish"
    if not os.access(program, os.X_OK):
        pytest.skip(f"needs a program to publish a folder for Flux with: there is no {program.name} beside the command")
    return program


def published(cluster: Cluster, folder: Path, name: str, namespace: str) -> str:
    """Make a folder the newest revision of the ExternalArtifact of this name; gives the revision."""
    environment = {**cluster.environment, "CLUSTER_STATE": str(Path(cluster.environment["KUBECONFIG"]).parent)}
    words = [str(publisher(cluster)), str(folder), name, namespace]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _command(cluster: Cluster, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*cluster.command, *words], capture_output=True, text=True, timeout=START_SECONDS, check=False
    )


def _answers(cluster: Cluster, name: str) -> bool:
    return _command(cluster, "exec", "curl", "-sf", f"http://127.0.0.1:{METRICS[name]}/metrics").returncode == 0


def _served(cluster: Cluster) -> dict[str, bool]:
    found = cluster.kubectl("get", "crd", STORED, "-o", "json")
    versions = json.loads(found.out)["spec"]["versions"] if found.code == 0 else []
    return {one["name"]: one["served"] for one in versions}


def _serve(cluster: Cluster, wanted: dict[str, bool]) -> None:
    steps = [
        {"op": "replace", "path": f"/spec/versions/{at}/served", "value": served}
        for at, served in enumerate(wanted.values())
    ]
    if steps:
        cluster.ask("patch", "crd", STORED, "--type=json", "-p", json.dumps(steps))
