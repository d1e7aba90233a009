"""Mail addresses of the envelope: parsed once, strictly, and kept in normal form.

Used in front of aiosmtpd's lenient parser, by the resources, and by every policy. The header's address lists
(RFC 5322) are in `mailboxes`. Failures: `AddressError` (a ValueError), whose text may be shown to a client.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from mailhaul_contract.domains import DomainError, display_domain, normal_domain, normal_host

MAX_LOCAL = 251
"""Octets of a local part. RFC 5321 section 4.5.3.1.1 promises only 64, and asks for no limit where that is possible:
VERP and SRS senders are longer every day (`SRS0=hash=day=domain=local`), so only the path's own limit counts."""
MAX_PATH = 254
"""Octets of an address without its angle brackets (RFC 5321 section 4.5.3.1.3: 256 with them)."""

_ATEXT = "A-Za-z0-9!#$%&'*+/=?^_`{|}~-"
# Atom and dot exclude one another, so these cannot backtrack more than once.
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*", re.ASCII)
_UTEXT = "\u00a0-\U0010ffff" + _ATEXT
_DOT_STRING_UTF8 = re.compile(rf"[{_UTEXT}]+(?:\.[{_UTEXT}]+)*")
_PLAIN = re.compile(rf"([{_ATEXT}]+(?:\.[{_ATEXT}]+)*)@([a-z0-9]{{1,63}}(?:\.[a-z0-9]{{1,63}}){{0,7}})", re.ASCII)


class AddressError(ValueError):
    """The text is not a mail address."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox `local@domain`. `local` is unquoted and in NFC, `domain` in normal form (see `domains`)."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a Mailbox of RFC 5321 section 4.1.2, with RFC 6531's UTF-8; no source route, no comments.

        Raises AddressError with a reason that may be shown to a client.
        """
        plain = _PLAIN.fullmatch(text) if len(text) <= MAX_PATH else None
        if plain:
            return cls(plain[1], plain[2])
        if len(text) > 4 * MAX_PATH:
            raise AddressError("the address is too long")
        local, at, domain = text.rpartition("@")
        if not at:
            raise AddressError("the address has no domain")
        try:
            address = cls(_local_part(local), normal_host(domain))
        except DomainError as error:
            raise AddressError(str(error)) from None
        if len(str(address).encode()) > MAX_PATH:
            raise AddressError("the address is longer than 254 octets")
        return address

    @property
    def is_ascii(self) -> bool:
        """Whether it can be sent without SMTPUTF8 (the domain always can: it is kept as A-labels)."""
        return self.local.isascii()

    @property
    def key(self) -> str:
        """The form to compare recipients by: case of the local part folded, as every mailbox provider does."""
        return f"{self.local.casefold()}@{self.domain}"

    @property
    def display(self) -> str:
        """The form for people: the domain in U-labels."""
        return f"{_quoted(self.local)}@{display_domain(self.domain)}"

    def __str__(self) -> str:
        return f"{_quoted(self.local)}@{self.domain}"


def _local_part(text: str) -> str:
    local = _unquoted(text) if text.startswith('"') else _dot_string(text)
    local = unicodedata.normalize("NFC", local)
    if len(local.encode()) > MAX_LOCAL:
        raise AddressError("the local part is longer than 251 octets")
    return local


def _dot_string(text: str) -> str:
    if not text:
        raise AddressError("the local part is empty")
    if not (_DOT_STRING if text.isascii() else _DOT_STRING_UTF8).fullmatch(text):
        raise AddressError("the local part has characters that must be quoted, or a misplaced dot")
    _refuse_invisible(text)
    return text


def _unquoted(text: str) -> str:
    """RFC 5321 section 4.1.2 Quoted-string: qtextSMTP and quoted-pairSMTP only, so no CR, LF, NUL or DEL."""
    if len(text) < 2 or not text.endswith('"'):
        raise AddressError("the quoted local part is not closed")
    out, escaped = [], False
    for character in text[1:-1]:
        if character < " " or "\x7f" <= character < "\xa0":
            raise AddressError("the quoted local part has control characters")
        if not escaped and character == '"':
            raise AddressError("the quoted local part has an unescaped quote")
        escaped = not escaped and character == "\\"
        if not escaped:
            out.append(character)
    if escaped:
        raise AddressError("the quoted local part ends in a backslash")
    local = "".join(out)
    if not local:
        raise AddressError("the quoted local part is empty")
    _refuse_invisible(local)
    return local


def _refuse_invisible(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise AddressError("the address is not valid UTF-8")
    if any(character.isspace() and character != " " for character in text):
        raise AddressError("the address has blanks or line separators")


def _quoted(local: str) -> str:
    pattern = _DOT_STRING if local.isascii() else _DOT_STRING_UTF8
    if pattern.fullmatch(local):
        return local
    return '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'


def normal_address(text: str) -> str:
    """Give the normal form of an address as text; raises AddressError."""
    return str(Address.parse(text))


__all__ = ["MAX_LOCAL", "MAX_PATH", "Address", "AddressError", "DomainError", "normal_address", "normal_domain"]
