"""`make demo-cluster` leads from nothing to a delivered mail, says what it did, and leaves nothing behind."""

import os
import subprocess
import sys

import pytest
from tests.support.cluster import Cluster
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_demo_delivers_and_cleans_up(cluster: Cluster) -> None:
    if os.environ.get("MAILHAUL_E2E_KEEP"):
        pytest.skip("the demo would take away the release that MAILHAUL_E2E_KEEP keeps")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.e2e.demo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "delivered" in done.stdout
    assert cluster.kubectl("get", "namespace", "smtp").code != 0
    assert not cluster.get("clusterroles", "-l", "app.kubernetes.io/part-of=mailhaul")["items"]
