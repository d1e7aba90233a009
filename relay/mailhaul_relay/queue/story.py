"""What is told of one message: where it came from, every attempt, and what people did with it; and that as JSON text.

`chronicle` keeps the text, `http` shows the values. A message's bytes are never part of it. Pure: text that this
version cannot read is left out.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _text
from typing import NamedTuple

from mailhaul_relay.model.compact_json import compact_encoder
from mailhaul_relay.model.message import Message
from mailhaul_relay.model.outcome import Outcome, Verdict
from mailhaul_relay.model.transmission import Delivery
from mailhaul_relay.queue.rounds import Batch

SHOWN = 20
"""Recipients of one transmission that are remembered: a list of thousands would not be a small memory."""
MAX_HELO = 255
_VERSION = "1"
_ATTEMPT, _NOTE = 0, 1
_encode = compact_encoder(allow_nan=False)
_FROM = b"Received: from "


class Origins(NamedTuple):
    """Where a message came from: envelope sender, client, account ("" for none), the name in its HELO, when it was
    accepted, its size in octets, how many recipients it has, who gave it (`model.message.Origin`), and its
    author's domain as it was accepted ("" where an older version wrote it down).
    """

    sender: str
    client: str
    account: str
    helo: str
    accepted: float
    size: int
    recipients: int
    origin: str
    from_domain: str = ""


class Fate(NamedTuple):
    """One recipient's outcome in one transmission; `original` is what the client asked for."""

    address: str
    original: str
    verdict: str
    stage: str
    fault: str
    reply: str
    remedy: str


class Tried(NamedTuple):
    """One transmission: when it came back, by which route through which upstream, and as which sender and From domain
    it left.
    """

    time: float
    upstream: str
    endpoint: str
    sender: str
    from_domain: str
    route: str
    fates: tuple[Fate, ...]


class Ordered(NamedTuple):
    """What a person did, or the relay on its own after the end: the verb and a word about it."""

    time: float
    verb: str
    detail: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is remembered of one message, the oldest first; `origins` None when nothing of it is."""

    origins: Origins | None = None
    tried: tuple[Tried, ...] = ()
    ordered: tuple[Ordered, ...] = ()


class Attempt(NamedTuple):
    """A transmission as it happened, in values that are there anyway; it becomes text off the way of mail."""

    id: str
    time: float
    upstream: str
    endpoint: str
    sender: str
    from_domain: str
    route: str
    addresses: tuple[str, ...]
    originals: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    origins: Origins

    @property
    def has_ended(self) -> bool:
        """Whether some recipient has it, or will never have it."""
        for one in self.outcomes:  # noqa: SIM110 - a generator costs more than the whole question
            if one.verdict is Verdict.DELIVERED or one.verdict is Verdict.FAILED:
                return True
        return False


class Note(NamedTuple):
    """What was done with a message apart from transmissions."""

    id: str
    ordered: Ordered
    origins: Origins


def origins_of(message: Message) -> Origins:
    """Give where a message came from."""
    envelope, head = message.envelope, message.head
    helo = head[len(_FROM) : head.find(b" ", len(_FROM))] if head.startswith(_FROM) else b""
    return Origins(
        envelope.sender,
        envelope.client,
        envelope.account,
        helo[:MAX_HELO].decode("ascii", "replace").partition("\r")[0],
        envelope.accepted,
        envelope.size,
        len(envelope.recipients),
        envelope.origin,
        envelope.from_domain,
    )


def attempt(message: Message, batch: Batch, delivery: Delivery, now: float) -> Attempt:
    """Take a transmission down that came back at `now`."""
    transmission, recipients = batch.transmission, message.envelope.recipients
    return Attempt(
        transmission.id,
        now,
        batch.upstream,
        delivery.endpoint,
        transmission.sender,
        transmission.from_domain,
        batch.route,
        transmission.recipients[:SHOWN],
        tuple([recipients[index].original for index in batch.indexes[:SHOWN]]),
        delivery.outcomes[:SHOWN],
        origins_of(message),
    )


def line(entry: Attempt | Note) -> str:
    """Give the JSON text of an entry, without line ends."""
    if isinstance(entry, Note):
        return _encode([entry.id, _NOTE, entry.ordered, entry.origins])
    # Written by hand: this runs once for each transmission, and takes a third of an encoder's time.
    fates = ",".join(
        [
            f'[{_text(to)},{_text(original)},"{one.verdict.value}","{one.stage.value}","{one.fault.value}",'
            f"{_text(one.text)},{_text(one.remedy)}]"
            for to, original, one in zip(entry.addresses, entry.originals, entry.outcomes, strict=True)
        ]
    )
    where = ",".join(map(_text, entry[2:7]))
    sender, client, account, helo, accepted, size, recipients, origin, from_domain = entry.origins
    came = ",".join(map(_text, (sender, client, account, helo)))
    return (
        f"[{_text(entry.id)},{_ATTEMPT},[{entry.time!r},{where},[{fates}]],"
        f"[{came},{accepted!r},{size},{recipients},{_text(origin)},{_text(from_domain)}]]"
    )


def page(lines: Iterable[str]) -> bytes:
    """Give a page of lines."""
    return "\n".join((_VERSION, *lines)).encode("ascii")


def told(message_id: str, pages: Iterable[bytes]) -> Story:
    """Give what pages tell of one message; a line that stands twice counts once."""
    lines = {text for one in pages for text in _lines_about(message_id, one)}
    origins: Origins | None = None
    tried: set[Tried] = set()
    ordered: set[Ordered] = set()
    for text in lines:
        try:
            _, kind, values, came = json.loads(text)
            if kind == _NOTE:
                ordered.add(Ordered(*values))
            else:
                tried.add(Tried._make([*values[:6], tuple(Fate(*one) for one in values[6])]))
            origins = _fuller(origins, Origins(*came))
        except (ValueError, TypeError, IndexError):
            continue
    return Story(origins, tuple(sorted(tried)), tuple(sorted(ordered)))


def _fuller(known: Origins | None, other: Origins) -> Origins:
    """An order may not have seen the head of its message, and so no HELO."""
    return known if known is not None and known.helo else other


def _lines_about(message_id: str, one: bytes) -> list[str]:
    version, *lines = one.decode("ascii", "replace").split("\n")
    start = f'["{message_id}",'
    return [text for text in lines if text.startswith(start)] if version == _VERSION else []
