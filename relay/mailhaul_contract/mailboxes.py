"""Address lists of header fields (RFC 5322 section 3.4): From, Sender, Reply-To.

`policy` reads the From of every message here. Display names, quoted strings, comments, groups and the obsolete forms
of section 4.4 are understood; encoded words (RFC 2047) are left as they are. One pass, bounded, no backtracking.
The email package's parser is too slow for the hot path and guesses where this refuses.
Failures: `MailboxError` (a ValueError), whose text may be shown to a client.
"""

import re
from typing import NamedTuple

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.header_tokens import MailboxError, Token, tokens

MAX_TEXT = 65_536
"""Characters of one field's value."""
MAX_MAILBOXES = 1000

# One class each, so a match never backtracks.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*", re.ASCII)
_QUOTED_NAME = re.compile(r'"[^"\\\x00-\x1f\x7f]*"[ \t]*')
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+", re.ASCII)


class NamedAddress(NamedTuple):
    """A mailbox of a header: `name` is unquoted, on one line, its encoded words not decoded, "" when there is none."""

    name: str
    address: Address


def unfold(value: bytes) -> str:
    """Give a field's value as one line of text (RFC 5322 section 2.2.3); bytes that are no UTF-8 become surrogates."""
    return value.replace(b"\r\n", b"").decode("utf-8", "surrogateescape").strip(" \t")


def parse_mailboxes(text: str) -> tuple[NamedAddress, ...]:
    """Parse an address list that was unfolded; members of groups are given as if they stood alone.

    An empty list or an empty group gives (). Raises MailboxError.
    """
    try:
        return _plain(text) or _parse(text)
    except AddressError as error:
        raise MailboxError(str(error)) from None


def _plain(text: str) -> tuple[NamedAddress, ...]:
    """The forms that nearly every message has: `a@b`, `Name <a@b>`, `"Name" <a@b>`; () for any other."""
    text = text.strip(" \t")
    if not text.endswith(">"):
        return (NamedAddress("", Address.parse(text)),) if _PLAIN_ADDRESS.fullmatch(text) else ()
    name, opened, address = text[:-1].rpartition("<")
    if not opened or not _PLAIN_ADDRESS.fullmatch(address):
        return ()
    if _PLAIN_NAME.fullmatch(name):
        return (NamedAddress(" ".join(name.split()), Address.parse(address)),)
    if _QUOTED_NAME.fullmatch(name):
        return (NamedAddress(" ".join(name.rstrip(" \t")[1:-1].split()), Address.parse(address)),)
    return ()


def _parse(text: str) -> tuple[NamedAddress, ...]:
    if len(text) > MAX_TEXT:
        raise MailboxError("the address list is too long")
    found: list[NamedAddress] = []
    element: list[Token] = []
    in_group = in_angle = False
    for token in tokens(text):
        separates = not in_angle and token.kind in {",", ";", ":"}
        if not separates:
            in_angle = token.kind == "<" or (in_angle and token.kind != ">")
            element.append(token)
            continue
        if (token.kind == ":") is in_group and token.kind != ",":
            raise MailboxError("a group is opened or closed where it may not be")
        if token.kind == ":":
            in_group = True
        else:
            found += _mailbox(element)
            in_group = in_group and token.kind == ","
        element = []
    if in_angle or in_group:
        raise MailboxError("an angle bracket or a group is not closed")
    found += _mailbox(element)
    if len(found) > MAX_MAILBOXES:
        raise MailboxError(f"the address list has more than {MAX_MAILBOXES} mailboxes")
    return tuple(found)


def _mailbox(element: list[Token]) -> list[NamedAddress]:
    """One element of the list: none (obsolete empty element), `addr-spec`, or `phrase <addr-spec>`."""
    words = [token for token in element if token.kind != "comment"]
    if not words:
        return []
    kinds = [token.kind for token in words]
    if "<" not in kinds and ">" not in kinds:
        comments = [token.text for token in element if token.kind == "comment"]
        return [NamedAddress(comments[-1] if comments else "", _addr_spec(words))]
    if kinds[-1] != ">" or kinds.count("<") != 1 or kinds.count(">") != 1:
        raise MailboxError("text stands after or between angle brackets")
    opened = kinds.index("<")
    phrase, inner = words[:opened], words[opened + 1 : -1]
    if any(token.kind not in {"atom", "quoted"} for token in phrase):
        raise MailboxError("the display name has characters that must be quoted")
    return [NamedAddress(" ".join(token.text for token in phrase if token.text), _addr_spec(_routeless(inner)))]


def _routeless(inner: list[Token]) -> list[Token]:
    """Drop an obsolete source route (`<@relay:user@domain>`), which RFC 5321 appendix C says to ignore."""
    if inner and inner[0].kind == "@":
        colon = next((i for i, token in enumerate(inner) if token.kind == ":"), None)
        if colon is None:
            raise MailboxError("the source route is not closed")
        return inner[colon + 1 :]
    return inner


def _addr_spec(words: list[Token]) -> Address:
    at = [i for i, token in enumerate(words) if token.kind == "@"]
    if len(at) != 1:
        raise MailboxError("a mailbox is not of the form local@domain")
    local, domain = words[: at[0]], words[at[0] + 1 :]
    if len(local) == 1 and local[0].kind == "quoted":
        text = '"' + local[0].text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return Address.parse(f"{text}@{_joined(domain, 'literal')}")
    return Address.parse(f"{_joined(local, 'atom')}@{_joined(domain, 'literal')}")


def _joined(tokens: list[Token], other: str) -> str:
    """Join atoms that obsolete syntax set blanks between; two words with no dot between them are an error."""
    text = ""
    for token in tokens:
        if token.kind not in {"atom", other}:
            raise MailboxError("a mailbox has characters that must be quoted")
        if text and not text.endswith(".") and not token.text.startswith("."):
            raise MailboxError("a mailbox has a blank inside")
        text += token.text
    return text


__all__ = ["MAX_MAILBOXES", "MailboxError", "NamedAddress", "parse_mailboxes", "unfold"]
