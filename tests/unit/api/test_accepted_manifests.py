"""Good manifests, from the smallest to every field, are accepted, and say the same after a way through JSON."""

from pathlib import Path

import pytest
from tests.support.repository import REPOSITORY

from mailhaul_operator.manifests.kinds import OWN
from mailhaul_operator.manifests.yaml_tree import documents

ACCEPTED = sorted((REPOSITORY / "tests" / "golden" / "accepted").glob("*.yaml"))


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda one: one.stem)
def test_it_is_accepted_and_keeps_its_meaning_through_json(path: Path) -> None:
    (document,) = documents(path.read_text())
    model = OWN[document.value["kind"]]
    resource = model.from_json(document.value)
    assert model.from_json(resource.to_json()) == resource


def test_every_kind_has_a_good_manifest() -> None:
    assert {path.stem.partition("-")[0] for path in ACCEPTED} == {"relay", "provider", "alias"}
