"""Documents that are run: the fenced blocks of a Markdown file, by a small convention.

The words after a block's language say what it is; a reader sees none of this:

    ```yaml NAME       a file to write under this name
    ```sh              commands to run, in the folder of the files; `mailhaul up ...` goes to the background
    ```text            what the commands just above print; `…` stands for anything, figures and times may differ
    ```text NAME       the same for output that a test of that name makes
    ```sh cluster      commands to run where there is a cluster, and ```text cluster what they print

Commands begin in an empty folder, as if it were the clone. Ports 2525 and 9090 are replaced by those that were free.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIGURES = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: language, name ("" for none), and its text."""

    language: str
    name: str
    text: str


def blocks(document: Path) -> list[Block]:
    """Give the fenced blocks of a document in order."""
    return [Block(*found) for found in _FENCE.findall(document.read_text(encoding="utf-8"))]


def differs(expected: str, actual: str) -> str:
    """Give the first part of the expected output that the actual one does not have in order; "" when it has all.

    White space and figures do not count, and what stands between two `…` may have anything around it.
    """
    rest = _comparable(actual)
    for part in filter(None, map(_comparable, expected.split("…"))):
        _, found, rest = rest.partition(part)
        if not found:
            return part
    return ""


def _comparable(text: str) -> str:
    return " ".join(_FIGURES.sub("0", text).split())
