"""The arguments of MAIL and RCPT by our own strict grammar (RFC 5321 section 4.1.1, RFC 1870, 6152, 6531).

`session` uses it; addresses are parsed by the contract. Errors are values: a `Reply` that says what is wrong. Tolerated
is what honest clients do: blanks after the colon, and source routes, which are dropped as section 4.1.1.3 allows.
"""

from dataclasses import dataclass
from functools import lru_cache

import re2

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.domains import DomainError, normal_host
from mailhaul_relay.model.outcome import Reply

_MAIL_SYNTAX = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8]")
_RCPT_SYNTAX = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
_NEEDS_UTF8 = Reply(553, "5.6.7", "A non-ASCII address needs the SMTPUTF8 parameter on MAIL")

SHORT = 128
"""Characters of an argument up to which what it meant is kept, for apps repeat themselves; bounds what that holds."""


@dataclass(frozen=True, slots=True)
class MailArguments:
    """What MAIL said. `sender` is None for `<>`; `size` is 0 when it was not declared."""

    sender: Address | None
    size: int = 0
    eight_bit: bool = False
    utf8: bool = False


POSTMASTER = Address("postmaster", "")
"""`RCPT TO:<postmaster>` without a domain (RFC 5321 section 4.5.1)."""


def parse_mail(argument: str, *, extended: bool, auth: bool = False) -> MailArguments | Reply:
    """Parse what follows `MAIL `; `extended` tells that EHLO was said, without which there are no parameters, `auth`
    that AUTH is offered.
    """
    return _known_mail(argument, extended, auth) if len(argument) <= SHORT else _mail(argument, extended, auth)


def _mail(argument: str, extended: bool, auth: bool) -> MailArguments | Reply:
    path = _path(argument, "FROM:", _MAIL_SYNTAX)
    if isinstance(path, Reply):
        return path
    mailbox, words = path
    parameters = _parameters(words, _EXTENDED_AUTH if auth else _EXTENDED if extended else _NONE)
    if isinstance(parameters, Reply):
        return parameters
    if not mailbox:
        return MailArguments(None, *parameters)
    if not parameters[2] and not mailbox.isascii():
        return _NEEDS_UTF8
    try:
        return MailArguments(Address.parse(mailbox), *parameters)
    except AddressError as error:
        return Reply(501, "5.1.7", f"Sender refused: {error}")


def parse_rcpt(argument: str, *, utf8: bool) -> Address | Reply:
    """Parse what follows `RCPT `; `utf8` tells whether MAIL had the SMTPUTF8 parameter."""
    return _known_rcpt(argument, utf8) if len(argument) <= SHORT else _rcpt(argument, utf8)


def _rcpt(argument: str, utf8: bool) -> Address | Reply:
    path = _path(argument, "TO:", _RCPT_SYNTAX)
    if isinstance(path, Reply):
        return path
    mailbox, words = path
    if words:
        return Reply(555, "5.5.4", "RCPT parameter not offered")
    if not utf8 and not mailbox.isascii():
        return _NEEDS_UTF8
    if mailbox.lower() == "postmaster":
        return POSTMASTER
    try:
        return Address.parse(mailbox)
    except AddressError as error:
        return Reply(501, "5.1.3", f"Recipient refused: {error}")


_known_mail = lru_cache(maxsize=512)(_mail)
_known_rcpt = lru_cache(maxsize=512)(_rcpt)


def _path(argument: str, keyword: str, syntax: Reply) -> tuple[str, list[str]] | Reply:
    """Give the mailbox between the brackets, without a source route, and the words after them."""
    if argument[: len(keyword)].upper() != keyword:
        return syntax
    text = argument[len(keyword) :].lstrip(" ")
    if not text.startswith("<"):
        return Reply(syntax.code, syntax.enhanced, f"The address must stand in angle brackets; {syntax.text}")
    end = text.find(">") if '"' not in text else _closing_bracket(text)
    if end < 0:
        return Reply(syntax.code, syntax.enhanced, f"The closing > is missing; {syntax.text}")
    rest = text[end + 1 :]
    if rest and not rest.startswith(" "):
        return syntax
    mailbox = text[1:end]
    if mailbox.startswith("@"):
        routed = _without_route(mailbox)
        if routed is None:
            return Reply(syntax.code, syntax.enhanced, "The source route is malformed; leave it out")
        mailbox = routed
    return mailbox, rest.split()


def _closing_bracket(text: str) -> int:
    """Find the `>` that is not within a quoted local part."""
    quoted = escaped = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return index
    return -1


def _without_route(path: str) -> str | None:
    """Drop `@one,@two:` (RFC 5321 section 4.1.1.3); None when it is none."""
    hops, _, mailbox = path.partition(":") if "[" not in path else _partition_literals(path)
    for hop in hops.split(","):
        try:
            normal_host(hop.removeprefix("@"))
        except DomainError:
            return None
        if not hop.startswith("@"):
            return None
    return mailbox or None


def _partition_literals(path: str) -> tuple[str, str, str]:
    """Part at the first colon that is not within an address literal."""
    depth = 0
    for index, character in enumerate(path):
        depth += (character == "[") - (character == "]")
        if character == ":" and depth == 0:
            return path[:index], ":", path[index + 1 :]
    return path, "", ""


_NONE: frozenset[str] = frozenset()
_EXTENDED = frozenset({"SIZE", "BODY", "SMTPUTF8"})
_EXTENDED_AUTH = _EXTENDED | {"AUTH"}
_XTEXT = re2.compile(r"=(<>|([!-*,-<>-~]|\+[0-9A-F]{2})+)")
"""RFC 4954 section 5, RFC 3461 section 4."""


def _parameters(words: list[str], known: frozenset[str]) -> tuple[int, bool, bool] | Reply:
    """Give declared size, BODY=8BITMIME and SMTPUTF8. What AUTH says is not believed, as RFC 4954 section 5 allows."""
    if not words:
        return 0, False, False
    found: dict[str, str] = {}
    for word in words:
        name, _, _ = word.partition("=")
        name = name.upper()
        if name not in known:
            return Reply(555, "5.5.4", "MAIL parameter not offered")
        if name in found:
            return Reply(501, "5.5.4", f"{name} is given twice")
        found[name] = word[len(name) :]
    size = found.get("SIZE", "=0")[1:]
    if not (size.isascii() and size.isdigit() and len(size) <= 20):
        return Reply(501, "5.5.4", "SIZE takes a number of at most 20 digits")
    body = found.get("BODY", "=7BIT").upper()
    if body not in {"=7BIT", "=8BITMIME"}:
        return Reply(501, "5.5.4", "BODY is 7BIT or 8BITMIME")
    if "AUTH" in found and not _XTEXT.fullmatch(found["AUTH"]):
        return Reply(501, "5.5.4", "AUTH takes <> or an address in xtext")
    if found.get("SMTPUTF8"):
        return Reply(501, "5.5.4", "SMTPUTF8 takes no value")
    return int(size), body == "=8BITMIME", "SMTPUTF8" in found
