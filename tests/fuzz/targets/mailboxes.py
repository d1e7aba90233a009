"""Address lists of headers: two readings agree, and what is written of a mailbox is read as that mailbox again."""

from mailhaul_contract.addresses import AddressError
from mailhaul_contract.mailboxes import (
    MAX_MAILBOXES,
    MailboxError,
    NamedAddress,
    _parse,
    _plain,
    parse_mailboxes,
    unfold,
)
from mailhaul_relay.policy.words import MAX_NAME, decode_words, mailbox, safe_name

LONGEST = 500
WORDS = (
    *(b"a@b.example", b"<", b">", b'"', b"\\", b"(", b")", b",", b";", b"group:", b"@relay.example:", b"[192.0.2.1]"),
    *(
        b"=?utf-8?B?w7w=?=",
        b"=?utf-8?Q?=0D=0ABcc=3A_x?=",
        b"=?iso-2022-jp?B?GyRC?=",
        b" via ",
        b"\xc3\xbc",
        b"\xff",
        b". ",
    ),
    *(b"\xe2\x80\xae", b"\xc2\xa0", b"\r\n "),
)


def check(data: bytes) -> None:
    """Parse a list, and write each mailbox anew."""
    text = unfold(data)
    try:
        found = parse_mailboxes(text)
    except MailboxError as error:
        assert str(error).isprintable()
        assert _quick(text) == ()
        return
    assert len(found) <= MAX_MAILBOXES
    if quick := _quick(text):
        assert quick == _parse(text), "two readings"
    for one in found:
        _check_written(one)
    whole = b", ".join(mailbox(safe_name(decode_words(one.name)), one.address) for one in found)
    assert [one.address for one in parse_mailboxes(unfold(whole))] == [one.address for one in found]


def _quick(text: str) -> tuple[NamedAddress, ...]:
    try:
        return _plain(text)
    except AddressError:
        return ()


def _check_written(one: NamedAddress) -> None:
    name = safe_name(decode_words(one.name))
    assert len(name) <= MAX_NAME
    assert name.isprintable(), "a name that is not on one line"
    written = mailbox(name, one.address)
    bare = written.replace(b"\r\n ", b"")
    assert b"\r" not in bare
    assert b"\n" not in bare, "a name ends its line"
    assert max(map(len, written.split(b"\r\n"))) <= 998
    assert one.address.local.isascii() is False or written.isascii()
    (again,) = parse_mailboxes(unfold(written))
    assert again.address == one.address, "a name became an address"
    assert safe_name(decode_words(again.name)) == name, "another name"
