"""The commands and manifests of README and docs/install.md that need a cluster run as they stand there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.e2e.release import Release
from tests.support.readme import Block, blocks, differs
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Reader:
    """Somebody who follows a document in a clone, with the images that were built and a kubeconfig."""

    def __init__(self, folder: Path, release: Release) -> None:
        self._folder = folder
        programs = f"{Path(sys.executable).parent}:{release.cluster.environment['PATH']}"
        self._environment = {**release.cluster.environment, "PATH": programs}
        for name in ("charts", "deploy", "examples"):
            (folder / name).symlink_to(REPOSITORY / name)
        self._images = release.values()[1::2]

    def write(self, block: Block) -> None:
        """Write a file; the images are those that this cluster has."""
        text = block.text
        if block.name == "images.yaml":
            text = "".join(f"{key}: {value}\n" for key, _, value in (one.partition("=") for one in self._images))
        (self._folder / block.name).write_text(text)

    def run(self, commands: str) -> str:
        """Run commands; the test fails when they do."""
        words = ["bash", "-euo", "pipefail", "-c", commands]
        done = subprocess.run(
            words, cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def follow(self, all_blocks: list[Block]) -> None:
        """Write, run, and compare with the output that stands below."""
        output = ""
        for block in all_blocks:
            if block.language == "yaml":
                self.write(block)
            elif block.language == "sh":
                output = self.run(block.text)
            else:
                missing = differs(block.text, output)
                assert not missing, f"printed\n{output}\nand not\n{missing}"


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
