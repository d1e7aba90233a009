"""Images of servers that are not ours, built into the test's cluster; layers that are known are not built again."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e.lanes import one_at_a_time

SECONDS = 600


def built(cluster: Cluster, folder: Path, name: str) -> str:
    """Build an image of a folder with a Dockerfile; gives its name with a tag for what the folder holds.

    A cluster that takes no images skips the test; so does a machine that cannot reach Debian's packages.
    """
    if not cluster.command:
        pytest.skip(f"needs a cluster that takes images, for {name}")
    texts = b"".join(one.read_bytes() for one in sorted(folder.iterdir()))
    image = f"{name}:{hashlib.sha256(texts).hexdigest()[:12]}"
    command = [*cluster.command, "build", str(folder), "-t", image]
    with one_at_a_time():
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0 and "apt-get" in done.stderr + done.stdout:
        pytest.skip(f"Debian's packages cannot be installed in an image here, for {name}")
    assert done.returncode == 0, done.stderr[-2000:]
    return image
