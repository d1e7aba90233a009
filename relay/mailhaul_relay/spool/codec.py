"""The small record of a message as text in the database: compact JSON arrays with a version, strict when read.

Written once (envelope) or at each attempt (progress); `store` writes, `reader` reads. Both are kept apart so that an
update never encodes the envelope. Fails with `Unreadable`, upon which the message is set aside: never guessed at.
"""

import json
from math import isfinite
from typing import Any

from mailhaul_relay.model.compact_json import compact_encoder
from mailhaul_relay.model.message import UNTRIED, Envelope, Origin, Progress, Recipient, State

VERSION = 1
"""Of both records. A reader refuses others; a writer of version N+1 keeps reading N."""

BITS = {State.QUEUED: 1, State.DEFERRED: 2, State.HELD: 4, State.DEAD: 8, State.DELIVERED: 16}
"""The bit of each state in a message's mask, the most hopeful lowest."""
ON_HOLD = 32
"""In place of that of HELD when a person holds it: no wake and no age of the queue is to see it."""
WAITING = BITS[State.QUEUED] | BITS[State.DEFERRED] | BITS[State.HELD]
OPEN = WAITING | ON_HOLD

_ENVELOPE = (str, list, str, str, float, int, str, bool, bool)
_ENVELOPE_OF_ACCOUNT = (*_ENVELOPE, str)
_PROGRESS = (str, float, int, int, str, str, str, str, int, str, float, float)
_encode = compact_encoder(allow_nan=False)


class Unreadable(Exception):  # noqa: N818 - the word of the documentation
    """A record that this version cannot read; the text says why."""


def mask(progress: tuple[Progress, ...]) -> int:
    """Give the states of all recipients as bits."""
    found = 0
    for one in progress:
        found |= ON_HOLD if one.is_on_hold else BITS[one.state]
    return found


def encode_envelope(envelope: Envelope) -> str:
    """Give the envelope but for its id. Raises ValueError for numbers that are not finite."""
    recipients = [[one.original, one.final, one.alias] for one in envelope.recipients]
    # Written only when there is one: a relay of before knows records without.
    account = [envelope.account] if envelope.account else ()
    return _encode(
        [
            VERSION,
            envelope.sender,
            recipients,
            envelope.from_domain,
            envelope.origin,
            float(envelope.accepted),
            envelope.size,
            envelope.client,
            envelope.eight_bit,
            envelope.utf8,
            *account,
        ]
    )


def encode_progress(progress: tuple[Progress, ...]) -> str:
    """Give every recipient's fate, in order. Raises ValueError for numbers that are not finite."""
    if len(progress) == 1 and progress[0] is UNTRIED:
        return _ONE_UNTRIED
    return _encode([VERSION, *([] if one == UNTRIED else _row(one) for one in progress)])


def decode_envelope(id: str, text: str) -> Envelope:  # noqa: A002 - the field's own word
    """Read an envelope. Raises Unreadable."""
    fields = _array(text, "envelope")
    _check(fields, _ENVELOPE if len(fields) <= len(_ENVELOPE) else _ENVELOPE_OF_ACCOUNT, "envelope")
    sender, recipients, from_domain, origin, accepted, size, client, eight_bit, utf8, *account = fields
    if not recipients:
        raise Unreadable("the envelope has no recipient")
    try:
        return Envelope(
            id=id,
            sender=sender,
            recipients=tuple(_recipient(one) for one in recipients),
            from_domain=from_domain,
            origin=Origin(origin),
            accepted=accepted,
            size=size,
            client=client,
            eight_bit=eight_bit,
            utf8=utf8,
            account=account[0] if account else "",
        )
    except ValueError as error:
        raise Unreadable(f"the envelope's origin is unknown: {error}") from None


def decode_progress(text: str, recipients: int) -> tuple[Progress, ...]:
    """Read the progress of so many recipients. Raises Unreadable."""
    rows = _array(text, "progress")
    if len(rows) != recipients:
        raise Unreadable(f"progress of {len(rows)} recipients, the envelope has {recipients}")
    return tuple(_progress(row) for row in rows)


_ONE_UNTRIED = _encode([VERSION, []])


def _row(one: Progress) -> list[object]:
    return [
        one.state,
        float(one.due),
        one.attempts,
        one.unknowns,
        one.pinned,
        one.upstream,
        one.stage,
        one.fault,
        one.code,
        one.text,
        float(one.changed),
        float(one.renewed),
    ]


def _recipient(row: Any) -> Recipient:  # noqa: ANN401 - JSON
    if type(row) is not list:
        raise Unreadable("a recipient is not an array")
    _check(row, (str, str, str), "recipient")
    return Recipient(*row)


def _progress(row: Any) -> Progress:  # noqa: ANN401 - JSON
    if row == []:
        return UNTRIED
    if type(row) is not list:
        raise Unreadable("a recipient's progress is not an array")
    _check(row, _PROGRESS, "progress")
    try:
        return Progress(State(row[0]), *row[1:])
    except ValueError as error:
        raise Unreadable(f"a recipient's state is unknown: {error}") from None


def _array(text: str, what: str) -> list[Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"the {what} is not JSON: {error}") from None
    if type(value) is not list or not value:
        raise Unreadable(f"the {what} is not an array")
    if type(value[0]) is not int or value[0] != VERSION:
        raise Unreadable(f"the {what} has version {value[0]!r:.20}, this relay reads {VERSION}")
    return value[1:]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _check(fields: list[Any], types: tuple[type, ...], what: str) -> None:
    if len(fields) != len(types):
        raise Unreadable(f"the {what} has {len(fields)} fields, expected {len(types)}")
    for index, (value, expected) in enumerate(zip(fields, types, strict=True), 1):
        if type(value) is not expected:
            raise Unreadable(f"field {index} of the {what} is {type(value).__name__}, expected {expected.__name__}")
        if isinstance(value, float) and not isfinite(value):  # JSON can write 1e999, and it could not be written again
            raise Unreadable(f"field {index} of the {what} is not finite")
