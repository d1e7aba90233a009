"""Another From in place of a message's own: the author's name stays, the author's address goes to Reply-To.

`admission` does it for `senders.forcedFrom`, `rewriting` for an upstream that may not send a From as it is. A DKIM
signature always covers From (RFC 6376 section 5.4), so it is broken by this, and whoever does it says so.
"""

from mailhaul_contract.addresses import Address
from mailhaul_contract.mailboxes import MailboxError, NamedAddress, parse_mailboxes
from mailhaul_relay.policy.headers import Field
from mailhaul_relay.policy.signatures import SIGNATURE
from mailhaul_relay.policy.words import decode_words, mailbox, safe_name

MAX_REPLY_TO = 10
"""Authors that are named in a Reply-To of ours."""
_NAMED = 3
REPLACED = frozenset({b"sender", b"return-path"})
"""Fields that spoke for the author who is replaced."""


def with_from(
    fields: tuple[Field, ...], address: Address, via: str = "", dropped: frozenset[bytes] = REPLACED
) -> tuple[Field, ...]:
    """Give the fields with `address` as author; `via` is the alias that it came through, "" for none."""
    authors = _authors(fields)
    written = [from_field(address, _from_name(authors, via))]
    if authors and not any(field.name == b"reply-to" for field in fields):
        boxes = [mailbox(safe_name(decode_words(one.name)), one.address) for one in authors[:MAX_REPLY_TO]]
        written.append(Field(b"reply-to", b"Reply-To: " + b",\r\n ".join(boxes) + b"\r\n"))
    kept = [field for field in fields if field.name not in dropped]
    at = next((i for i, field in enumerate(kept) if field.name == b"from"), len(kept))
    rest = [field for field in kept[at:] if field.name != b"from"]
    return (*kept[:at], *written, *rest)


def from_field(address: Address, name: str = "") -> Field:
    """Give a From field."""
    return Field(b"from", b"From: " + mailbox(name, address) + b"\r\n")


def is_signed(fields: tuple[Field, ...]) -> bool:
    """Whether there is a signature that another From breaks."""
    return any(field.name == SIGNATURE for field in fields)


def author_words(fields: tuple[Field, ...]) -> str:
    """Name the authors for a person, the first few of many."""
    authors = _authors(fields)
    more = " and others" if len(authors) > _NAMED else ""
    return ", ".join(str(one.address) for one in authors[:_NAMED]) + more or "not one that can be read"


def _authors(fields: tuple[Field, ...]) -> tuple[NamedAddress, ...]:
    value = next((field.value for field in fields if field.name == b"from"), "")
    try:
        return parse_mailboxes(value)
    except MailboxError:
        return ()


def _from_name(authors: tuple[NamedAddress, ...], via: str) -> str:
    """`Name via alias`; an author without a name is shown as `user at domain`, for an address in a name is a lure."""
    if not authors:
        return f"via {via}" if via else ""
    first = authors[0]
    name = safe_name(decode_words(first.name))
    if not via:
        return name
    return f"{name or safe_name(f'{first.address.local} at {first.address.domain}')} via {safe_name(via)}"
