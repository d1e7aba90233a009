"""The bad manifests in tests/golden/refused: each with the words by which pydantic and the API server refuse it.

The first lines are `# expect: words` for both, or `# pydantic: words` and `# server: words`. A file with two documents
is an update: the first is good, the second is refused as a change of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.repository import REPOSITORY

from mailhaul_operator.manifests.yaml_tree import documents

FOLDER = REPOSITORY / "tests" / "golden" / "refused"


@dataclass(frozen=True)
class RefusedManifest:
    """One bad manifest."""

    name: str
    pydantic: str
    server: str
    documents: tuple[dict[str, Any], ...]

    @property
    def is_update(self) -> bool:
        """Whether it is a change of a good one."""
        return len(self.documents) == 2


def refused_manifests() -> list[RefusedManifest]:
    """Read every file, in order of names."""
    return [_read(path) for path in sorted(FOLDER.glob("*.yaml"))]


def _read(path: Path) -> RefusedManifest:
    text = path.read_text(encoding="utf-8")
    told: dict[str, str] = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        who, _, words = line[2:].partition(": ")
        told[who] = words
    both = told.get("expect", "")
    found = tuple(document.value for document in documents(text))
    return RefusedManifest(path.stem, told.get("pydantic", both), told.get("server", both), found)
