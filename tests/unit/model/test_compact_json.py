"""The encoder that is made once writes what the standard library writes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.model.compact_json import compact_encoder

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_it_writes_the_same_to_the_byte(value: object) -> None:
    assert compact_encoder()(value) == json.dumps(value, separators=(",", ":"))


def test_what_json_does_not_know_is_given_in_the_form_that_was_named() -> None:
    assert compact_encoder(sorted)({"all": {2, 1}}) == '{"all":[1,2]}'


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError):
        compact_encoder()(object())


def test_numbers_that_are_not_finite_are_refused_where_no_reader_could_take_them() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact_encoder(allow_nan=False)([float("nan")])
