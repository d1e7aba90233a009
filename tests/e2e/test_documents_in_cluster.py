"""The commands and manifests of README and docs/install.md that need a cluster run as they stand there."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.support.e2e.reader import Reader
from tests.support.e2e.release import Release
from tests.support.readme import Block, blocks
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_docs_install_runs(release: Release, tmp_path: Path) -> None:
    release.cluster.kubectl("delete", "namespace", "mail-first", "--ignore-not-found", "--timeout=60s")
    Reader(tmp_path, release).follow(blocks(REPOSITORY / "docs" / "install.md"))


def test_the_readmes_part_in_a_cluster_runs(release: Release, tmp_path: Path) -> None:
    release.cluster.kubectl("delete", "namespace", "smtp", "--ignore-not-found", "--timeout=60s")
    reader = Reader(tmp_path, release)
    reader.write(Block("yaml", "images.yaml", ""))
    readme = blocks(REPOSITORY / "README.md")
    try:
        reader.follow([one for one in readme if one.name in {"cluster", "mail.yaml"}])
    finally:
        release.cluster.kubectl("delete", "namespace", "smtp", "--wait=false")


def test_the_plain_manifests_are_in_step_with_the_chart(release: Release) -> None:
    done = subprocess.run(
        [str(REPOSITORY / "deploy" / "generate"), "--check"],
        env=dict(release.cluster.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    applied = release.cluster.kubectl("create", "--dry-run=server", "-k", str(REPOSITORY / "deploy"), "-o", "json")
    refused = [line for line in applied.err.splitlines() if "AlreadyExists" not in line and "not found" not in line]
    assert not refused, json.dumps(refused, indent=1)
