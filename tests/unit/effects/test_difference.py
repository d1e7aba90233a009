"""What counts as a difference between what should be and what is; the cases are in difference.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_operator.effects.difference import difference, differs, strangers
from mailhaul_operator.effects.immutable import cannot_be_changed
from mailhaul_operator.effects.quantities import quantity

CASES = yaml.safe_load(Path(__file__).with_name("difference.yaml").read_text(encoding="utf-8"))
JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_difference_is_found_where_it_is(case: dict[str, Any]) -> None:
    assert difference(case["desired"], case["live"]) == case["at"]


@given(st.dictionaries(st.text(max_size=5), JSON))
def test_an_object_does_not_differ_from_itself(body: dict[str, Any]) -> None:
    assert not differs(body, body)


@given(st.dictionaries(st.sampled_from("abc"), JSON), st.dictionaries(st.sampled_from("xyz"), JSON))
def test_fields_of_others_are_no_difference(desired: dict[str, Any], foreign: dict[str, Any]) -> None:
    assert not differs(desired, {**foreign, **desired})


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1000m"), ("1024Mi", "1Gi"), ("1Gi", 2**30), ("0.5", "500m"), ("2e3", "2k"), ("1E", "1e18")],
)
def test_quantities_are_equal_by_value(one: object, other: object) -> None:
    assert quantity(one) == quantity(other)
    assert quantity(one) is not None


@pytest.mark.parametrize("text", ["", "m", "1x", "one", "1 Gi", "NaN", "Infinity", "1" * 40, True, "١"])
def test_what_is_no_quantity_equals_none(text: object) -> None:
    assert quantity(text) is None


def test_only_data_of_secrets_and_config_maps_is_all_ours() -> None:
    live = {"data": {"ours": "1", "theirs": "2"}}
    assert strangers({"kind": "Secret", "data": {"ours": "1"}}, live) == ("theirs",)
    assert strangers({"kind": "ServiceAccount"}, live) == ()


@pytest.mark.parametrize("field", ["serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates"])
def test_fields_that_a_statefulset_fixes_need_a_new_one(field: str) -> None:
    desired = {"kind": "StatefulSet", "spec": {field: "new", "replicas": 2}}
    assert cannot_be_changed(desired, {"kind": "StatefulSet", "spec": {field: "old"}})
    assert not cannot_be_changed(desired, {"kind": "StatefulSet", "spec": {field: "new", "replicas": 1}})
