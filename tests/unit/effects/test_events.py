"""An Event as it is posted."""

from mailhaul_operator.effects.events import MAX_NOTE, Announcement, event
from mailhaul_operator.wire.objects import Owner

RELAY = Owner("SmtpRelay", "smtp", "relay", "u-1")


def test_an_event_is_bounded_and_names_its_object() -> None:
    made = event(RELAY, Announcement("Broken", "ä" * 2000, warning=True), 1_700_000_000.25, "")
    assert len(made["note"].encode()) <= MAX_NOTE
    assert (made["type"], made["eventTime"]) == ("Warning", "2023-11-14T22:13:20.250000Z")
    assert made["regarding"]["uid"] == "u-1"
    assert made["metadata"]["namespace"] == "smtp"
    assert made["reportingInstance"]
