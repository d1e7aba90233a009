"""What fuzzing has found stays found: every kept input is checked again, without atheris, whenever tests run."""

import pytest
from tests.fuzz.target import CORPORA, corpus, load, names

KEPT = 1_000_000
"""Octets of all kept inputs together."""


@pytest.mark.parametrize("name", names())
def test_no_kept_input_breaks_a_rule(name: str) -> None:
    target = load(name)
    for path in corpus(name):
        try:
            target.check(path.read_bytes())
        except Exception as error:  # noqa: BLE001 - whatever it is, its input is named
            pytest.fail(f"{path.name} breaks a rule of {name}: {error!r}; python -m tests.fuzz.drive {name} {path}")


@pytest.mark.parametrize("name", names())
def test_every_target_has_kept_inputs_of_its_length(name: str) -> None:
    lengths = [path.stat().st_size for path in corpus(name)]
    assert len(lengths) >= 5
    assert max(lengths) <= load(name).longest


def test_kept_inputs_are_small_and_each_has_a_target() -> None:
    assert {path.name for path in CORPORA.iterdir()} == set(names())
    assert sum(path.stat().st_size for name in names() for path in corpus(name)) < KEPT
