"""Every bad manifest is refused by the models with the words that its file expects."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.refused_manifests import RefusedManifest, refused_manifests

from mailhaul_contract.refusals import Refusal, refusals
from mailhaul_operator.api.part import changes
from mailhaul_operator.manifests.kinds import OWN

MANIFESTS = refused_manifests()


def _told(document: dict[str, Any]) -> tuple[Refusal, ...]:
    try:
        OWN[document["kind"]].from_json(document)
    except ValidationError as error:
        return refusals(error)
    return ()


def _refusals(manifest: RefusedManifest) -> tuple[Refusal, ...]:
    if not manifest.is_update:
        return _told(manifest.documents[0])
    before, after = (OWN[one["kind"]].from_json(one) for one in manifest.documents)
    return changes(before, after)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one.name)
def test_pydantic_refuses_it_with_the_expected_words(manifest: RefusedManifest) -> None:
    assert manifest.pydantic
    told = [str(refusal) for refusal in _refusals(manifest)]
    assert any(manifest.pydantic in one for one in told), told


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one.name)
def test_a_refusal_names_one_fault_its_remedy_and_no_secret(manifest: RefusedManifest) -> None:
    found = _refusals(manifest)
    assert len({refusal.reason for refusal in found}) == 1, found
    assert all(refusal.remedy and "hunter2" not in str(refusal) for refusal in found)


def test_there_are_enough_of_them() -> None:
    assert len(MANIFESTS) >= 45
