"""Generated files are in step with what they are made from, and fit into a cluster."""

from pathlib import Path

import pytest
from tests.support.repository import REPOSITORY

from mailhaul_operator.api.crd import MAX_BYTES, differences, generated, main

CRDS = REPOSITORY / "crds"
REFERENCE = REPOSITORY / "docs" / "reference"


def test_crds_and_reference_are_as_the_models_say() -> None:
    assert not differences(CRDS, REFERENCE), "run `python -m mailhaul_operator.api.crd --write`"


def test_each_crd_fits_into_the_annotation_of_kubectl_apply() -> None:
    sizes = {path.name: path.stat().st_size for path in CRDS.glob("*.yaml")}
    assert len(sizes) == 3
    assert not {name: size for name, size in sizes.items() if size >= MAX_BYTES}


def test_a_file_that_was_edited_removed_or_added_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crds, reference = tmp_path / "crds", tmp_path / "reference"
    there = ["--reference", str(reference)]
    assert main(["--write", str(crds), *there]) == 0
    assert main(["--check", str(crds), *there]) == 0
    edited, removed, *_ = generated(crds, reference)
    edited.write_text(edited.read_text().replace("maxItems: 16", "maxItems: 17"))
    removed.unlink()
    (crds / "stray.yaml").write_text("")
    assert main(["--check", str(crds), *there]) == 1
    told = capsys.readouterr().err
    assert "maxItems: 17" in told
    assert f"{removed}: missing" in told
    assert "stray.yaml: generated from nothing" in told
