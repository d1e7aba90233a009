"""Somebody who follows a document in a clone, with the images that were built and a kubeconfig.

Used by the tests that run documents in a cluster; how blocks are marked is told in tests/support/readme.py.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.support.e2e.release import Release
from tests.support.readme import Block, differs
from tests.support.repository import REPOSITORY

RUN_SECONDS = 240


class Reader:
    """Reads in `folder`. `adapted` is what the reader makes of a file before it is written."""

    def __init__(
        self, folder: Path, release: Release, adapted: Callable[[Block], str] = lambda block: block.text
    ) -> None:
        self._folder, self._adapted = folder, adapted
        programs = f"{Path(sys.executable).parent}:{release.cluster.environment['PATH']}"
        self._environment = {**release.cluster.environment, "PATH": programs}
        for name in ("charts", "deploy", "examples"):
            (folder / name).symlink_to(REPOSITORY / name)
        self._images = release.values()[1::2]

    def write(self, block: Block) -> None:
        """Write a file; the images are those that this cluster has."""
        text = self._adapted(block)
        if block.name == "images.yaml":
            text = "".join(f"{key}: {value}\n" for key, _, value in (one.partition("=") for one in self._images))
        (self._folder / block.name).write_text(text)

    def run(self, commands: str) -> str:
        """Run commands; the test fails when they do."""
        words = ["bash", "-euo", "pipefail", "-c", commands]
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def follow(self, all_blocks: Iterable[Block]) -> None:
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
