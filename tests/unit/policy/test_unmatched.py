"""Replies that no rule knows: each kind once, bounded, and forgotten when it is never seen again."""

import json

import pytest

from mailhaul_relay.policy.unmatched import FORGOTTEN, MOST, Kind, Seen, Unmatched


def _kind(text: str = "odd", code: int = 550) -> Kind:
    return Kind("smtp", "rcpt", code, "5.9.9", text)


def test_a_kind_is_counted_with_its_first_and_last_time() -> None:
    known = Unmatched().after(_kind(), 10.0).after(_kind(code=451), 20.0).after(_kind(), 30.0)
    assert known.kinds == {_kind(): Seen(2, 10.0, 30.0), _kind(code=451): Seen(1, 20.0, 20.0)}


def test_the_kind_seen_least_recently_makes_room() -> None:
    known = Unmatched().after(_kind("first"), 0.0).after(_kind("second"), 1.0)
    for number in range(MOST - 2):
        known = known.after(_kind(f"odd {number}"), 2.0 + number)
    known = known.after(_kind("first"), 1000.0).after(_kind("new"), 1001.0)
    assert len(known.kinds) == MOST
    assert _kind("first") in known.kinds
    assert _kind("second") not in known.kinds


def test_what_is_stored_is_read_again_but_for_what_is_long_ago() -> None:
    known = Unmatched().after(_kind("old"), 0.0).after(_kind("new"), 100.0)
    stored = json.loads(json.dumps(known.to_json()))
    assert Unmatched.from_json(stored, 200.0) == known
    assert list(Unmatched.from_json(stored, FORGOTTEN + 50.0).kinds) == [_kind("new")]


@pytest.mark.parametrize("stored", [{}, {"kinds": 5}, {"kinds": [[1]]}, {"kinds": [["a", "b", "x", "", "", 1, 1, 1]]}])
def test_a_form_that_cannot_be_read_is_empty(stored: dict[str, object]) -> None:
    assert not Unmatched.from_json(stored, 0.0).kinds
