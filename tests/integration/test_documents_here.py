"""Documents whose commands need no cluster run as they stand there, and print what they say."""

from pathlib import Path

import pytest
from tests.support.local_reader import Reader
from tests.support.readme import blocks
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.parametrize("document", ["routes.md", "listeners.md", "quotas.md", "inbox.md", "upstream-auth.md"])
def test_a_document_runs(document: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    try:
        reader.follow(blocks(REPOSITORY / "docs" / document))
    finally:
        reader.stop()
