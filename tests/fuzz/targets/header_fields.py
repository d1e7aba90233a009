"""Heads and a From of ours in them: what is not touched keeps its octets, and no name of a stranger adds a field.

The quick reading of `policy.headers` and the careful one must agree on every head.
"""

from mailhaul_contract.addresses import Address
from mailhaul_contract.mailboxes import parse_mailboxes
from mailhaul_relay.policy.authorship import REPLACED, with_from
from mailhaul_relay.policy.headers import (
    MAX_FIELDS,
    MAX_LINE,
    Field,
    HeaderError,
    _fields,
    _well_formed,
    joined,
    parse_head,
)
from mailhaul_relay.policy.signatures import SIGNATURE

LONGEST = 900
WORDS = (
    *(
        b"From: ",
        b"Reply-To: ",
        b"Sender: ",
        b"DKIM-Signature: v=1\r\n",
        b"\r\n ",
        b"\r\n\t",
        b"\r\n\r\n",
        b" : ",
        b"\n",
    ),
    *(b"ann@example.org", b'"Ann \\"A\\" B" <a@b.example>', b"=?utf-8?B?w7w=?=", b"=?utf-8?Q?=0D=0ABcc=3A_x?=", b", "),
    *(b"=?iso-8859-1?q?=FC?=", b"undisclosed:;", b"(comment)", b"\xc3\xbc", b"\xff", b"\0", b"."),
)
_OURS = Address("team", "own.example")
_VIA = "sales"


def check(data: bytes) -> None:
    """Parse a head, and write it with another From."""
    try:
        fields = parse_head(data)
    except HeaderError as error:
        assert str(error).isprintable()
        return
    _check_fields(fields, data)
    for via in ("", _VIA):
        _check_replaced(fields, with_from(fields, _OURS, via))
    dropped = REPLACED | {SIGNATURE}
    assert not any(field.name in dropped for field in with_from(fields, _OURS, dropped=dropped))


def _check_fields(fields: tuple[Field, ...], head: bytes) -> None:
    assert len(fields) <= MAX_FIELDS
    assert b"".join(field.raw for field in fields) == _ended(head), "an octet was changed"
    for field in fields:
        assert field.raw.endswith(b"\r\n")
        assert not any(octet in field.raw.replace(b"\r\n", b"") for octet in (b"\r", b"\n", b"\0"))
        assert all(line[:1] in {b" ", b"\t"} for line in field.raw.split(b"\r\n")[1:-1]), "two fields in one"
    if len(head) <= MAX_LINE and (quick := _well_formed(head)) is not None:
        lines = _ended(head).split(b"\r\n")[:-1]
        assert tuple(quick) == tuple(_fields(lines)) == fields, "two readings"
    assert parse_head(joined(fields)) == fields


def _ended(head: bytes) -> bytes:
    """Give a head without its empty lines, its last line ended."""
    while head.endswith(b"\r\n"):
        head = head[:-2]
    return head + b"\r\n" if head else b""


def _check_replaced(before: tuple[Field, ...], after: tuple[Field, ...]) -> None:
    written = parse_head(joined(after))
    assert written == after, "what was written is read as other fields"
    authors = [field for field in written if field.name == b"from"]
    assert len(authors) == 1
    (author,) = parse_mailboxes(authors[0].value)
    assert author.address == _OURS, "a name became an address"
    assert authors[0].raw.isascii(), "a From of ours that needs SMTPUTF8"
    ours = REPLACED | {b"from"}
    kept = [field for field in before if field.name not in ours]
    had = any(field.name == b"reply-to" for field in before)
    assert [field for field in after if field.name not in ours and (had or field.name != b"reply-to")] == kept
    if not had:
        assert sum(field.name == b"reply-to" for field in after) <= 1
        for field in after:
            assert field.name != b"reply-to" or parse_mailboxes(field.value), "an answer would go nowhere"
