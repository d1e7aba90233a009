"""The commands and manifests of README and docs/install.md that need a cluster run as they stand there."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.e2e.canaries import search
from tests.support.e2e.reader import Reader
from tests.support.e2e.release import Release
from tests.support.readme import blocks
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_docs_install_runs(release: Release, tmp_path: Path) -> None:
    release.cluster.kubectl("delete", "namespace", "mail-first", "--ignore-not-found", "--timeout=60s")
    Reader(tmp_path, release).follow(blocks(REPOSITORY / "docs" / "install.md"))


def test_the_readmes_part_in_a_cluster_runs(release: Release, tmp_path: Path) -> None:
    release.cluster.kubectl("delete", "namespace", "smtp", "--ignore-not-found", "--timeout=60s")
    reader = Reader(tmp_path, release)
    readme = blocks(REPOSITORY / "README.md")
    try:
        reader.follow([one for one in readme if one.name in {"cluster", "mail.yaml", "images.yaml"}])
        assert search(release.cluster, "smtp", release.namespace) == []
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
    assert _refused(release, REPOSITORY / "deploy") == []


def test_the_kustomization_of_docs_install_names_both_images_and_is_accepted(release: Release, tmp_path: Path) -> None:
    reader = Reader(tmp_path, release)
    (block,) = (one for one in blocks(REPOSITORY / "docs" / "install.md") if one.name == "kustomization.yaml")
    reader.write(block)
    plain, patched = (_container(release, folder) for folder in (REPOSITORY / "deploy", tmp_path))
    assert patched["image"] == "registry.example.com/mailhaul-operator:dev"
    changed = [(old, new) for old, new in zip(plain["args"], patched["args"], strict=True) if old != new]
    assert [new for _, new in changed] == ["--image=registry.example.com/mailhaul-relay:dev"]
    assert all(old.startswith("--image=") for old, _ in changed)
    assert _refused(release, tmp_path) == []


def _container(release: Release, folder: Path) -> dict[str, Any]:
    """The operator's container as kustomize makes it."""
    objects = [one for one in yaml.safe_load_all(release.cluster.ask("kustomize", str(folder))) if one]
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


def _refused(release: Release, folder: Path) -> list[str]:
    """What the API server does not accept of a folder; the chart's release has most of it already."""
    applied = release.cluster.kubectl("create", "--dry-run=server", "-k", str(folder), "-o", "json")
    return [line for line in applied.err.splitlines() if "AlreadyExists" not in line and "not found" not in line]
