"""The patch of a status: just the difference, and nothing when there is none."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_operator.effects.events import MAX_NOTE, Announcement, event
from mailhaul_operator.effects.status import merge_patch
from mailhaul_operator.wire.objects import Owner

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
STATUSES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)
RELAY = Owner("SmtpRelay", "smtp", "relay", "u-1")


def merged(target: Any, patch: Any) -> Any:  # noqa: ANN401 - RFC 7386 section 2, as it stands there
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(STATUSES, STATUSES)
def test_the_patch_makes_the_new_status_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merged(old, merge_patch(old, new)) == new


@given(STATUSES)
def test_an_equal_status_needs_no_patch(status: dict[str, Any]) -> None:
    assert merge_patch(status, status) == {}


def test_a_condition_of_a_stranger_goes_with_the_list() -> None:
    ours, theirs = {"type": "Ready"}, {"type": "Stalled"}
    assert merge_patch({"conditions": [ours, theirs]}, {"conditions": [ours]}) == {"conditions": [ours]}


def test_an_event_is_bounded_and_names_its_object() -> None:
    made = event(RELAY, Announcement("Broken", "ä" * 2000, warning=True), 1_700_000_000.25, "")
    assert len(made["note"].encode()) <= MAX_NOTE
    assert (made["type"], made["eventTime"]) == ("Warning", "2023-11-14T22:13:20.250000Z")
    assert made["regarding"]["uid"] == "u-1"
    assert made["metadata"]["namespace"] == "smtp"
    assert made["reportingInstance"]
