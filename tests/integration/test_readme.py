"""Every command and manifest of the README runs as it stands there, and prints what the README says."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.local_reader import Reader
from tests.support.readme import blocks, differs
from tests.support.repository import REPOSITORY
from tests.support.skips import skip_line

pytestmark = [pytest.mark.integration, pytest.mark.slow]
README = REPOSITORY / "README.md"
NOT_HERE = ("make demo\n", "make test\n")
"""`make demo` is run below, `make test` is what runs this."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with ExitStack() as stack:
        one = Reader(tmp_path)
        stack.callback(one.stop)
        yield one


def test_commands_and_manifests_run_in_order(reader: Reader) -> None:
    reader.follow([block for block in blocks(README) if block.text not in NOT_HERE])


def test_each_block_is_something_that_is_run_or_compared() -> None:
    known = {("yaml", True), ("sh", False), ("text", False), ("text", True)}
    elsewhere = ("sh", "cluster")  # tests/e2e/test_documents_in_cluster.py
    assert not [
        block
        for block in blocks(README)
        if (block.language, bool(block.name)) not in known and (block.language, block.name) != elsewhere
    ]


def test_the_demo_prints_what_the_readme_shows() -> None:
    shown = next(block.text for block in blocks(README) if block.name == "demo")
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(REPOSITORY), "demo"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not differs(shown, done.stdout)


def test_what_make_test_ends_with_has_the_form_that_the_readme_shows() -> None:
    shown = next(block.text for block in blocks(README) if block.name == "test").splitlines()
    assert re.fullmatch(r"=+ \d+ passed.* in [\d.]+s.* =+", shown[0])
    assert shown[-1] == skip_line(Counter())
