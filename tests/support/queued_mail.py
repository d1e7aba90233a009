"""Queued messages for tests of queue commands: ids that sort, envelopes that differ, any progress."""

from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Progress, Recipient, State

ACCEPTED = 1_700_000_000.0


def message_id(number: int) -> str:
    """An id as the relay makes them; they sort by number."""
    return f"01h{number:013d}"


def queued(
    number: int, *progress: Progress, sender: str = "app@example.com", to: tuple[str, ...] = (), head: bytes = b""
) -> Message:
    """A message with one recipient for each progress (one that was not tried when none is given)."""
    fates = progress or (Progress(),)
    addresses = to or tuple(f"r{index}@example.net" for index in range(len(fates)))
    envelope = Envelope(
        id=message_id(number),
        sender=sender,
        recipients=tuple(Recipient(address, address) for address in addresses),
        from_domain="example.com",
        origin=Origin.SUBMISSION,
        accepted=ACCEPTED,
        size=120,
        client="127.0.0.1",
    )
    return Message(envelope, head or b"Subject: a test\r\n\r\n", Body(7, b"hello\r\n"), fates)


def held(**changes: object) -> Progress:
    """A recipient that is held since a refused password."""
    told: dict[str, object] = {
        "state": State.HELD,
        "due": ACCEPTED + 3600,
        "attempts": 2,
        "upstream": "primary",
        "stage": "auth",
        "fault": "auth",
        "code": 535,
        "text": "535 5.7.8 authentication failed",
        "changed": ACCEPTED + 60,
    }
    return Progress(**(told | changes))  # type: ignore[arg-type]


def dead(**changes: object) -> Progress:
    """A dead letter."""
    return held(state=State.DEAD, **changes)
