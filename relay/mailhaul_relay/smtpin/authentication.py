"""The exchange of an AUTH command (RFC 4954): PLAIN (RFC 4616) and LOGIN, as a machine without input or output.

`entrance` gives it the command's argument and then each line of the client's, and does what it answers: asks further,
refuses, or has a name and a password to be checked. Everything is bounded by the length of a command line, and nothing
that was typed is repeated.

LOGIN has no standard; it is what Outlook and devices speak. SCRAM is not offered: see docs/listeners.md.
"""

import base64
import binascii
from dataclasses import dataclass, field

from mailhaul_contract.accounts import MAX_NAME, MAX_PASSWORD
from mailhaul_relay.model.outcome import Reply

MECHANISMS = ("PLAIN", "LOGIN")
CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
UNKNOWN_MECHANISM = Reply(504, "5.5.4", "Mechanism not offered; use PLAIN or LOGIN")
SYNTAX = Reply(501, "5.5.4", "Syntax: AUTH PLAIN|LOGIN [initial-response]")
NOT_BASE64 = Reply(501, "5.5.2", "The response is not base64")
MALFORMED = Reply(501, "5.5.2", "The response is not that of the mechanism")
TOO_LONG = Reply(500, "5.5.6", "The response is longer than 2046 octets")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What to ask next, before base64."""

    text: bytes

    @property
    def line(self) -> bytes:
        """The reply that asks."""
        return b"334 " + base64.b64encode(self.text) + b"\r\n"


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, as they were typed."""

    name: str = field(repr=False)
    password: bytes = field(repr=False)


Step = Challenge | Login | Reply


class Exchange:
    """One AUTH command."""

    __slots__ = ("_mechanism", "_name")

    def __init__(self) -> None:
        self._mechanism = ""
        self._name: bytes | None = None

    def begin(self, argument: str) -> Step:
        """Take what follows `AUTH `. An initial response of `=` is an empty one."""
        words = argument.split(" ")
        self._mechanism = words[0].upper()
        if self._mechanism not in MECHANISMS:
            return UNKNOWN_MECHANISM if words[0] else SYNTAX
        if len(words) > 2:
            return SYNTAX
        if len(words) == 2:
            return self._take(b"" if words[1] == "=" else words[1].encode())
        return Challenge(b"" if self._mechanism == "PLAIN" else b"Username:")

    def answer(self, line: bytes) -> Step:
        """Take a line of the client's, without its CRLF."""
        return CANCELLED if line == b"*" else self._take(line)

    def _take(self, encoded: bytes) -> Step:
        try:
            octets = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            return NOT_BASE64
        return self._plain(octets) if self._mechanism == "PLAIN" else self._login(octets)

    def _plain(self, octets: bytes) -> Step:
        parts = octets.split(b"\0")
        if len(parts) != 3:
            return MALFORMED
        identity, name, password = parts
        # Nobody may act for somebody else here, so another identity is as wrong as a wrong name.
        return _login(name if identity in {b"", name} else b"", password)

    def _login(self, octets: bytes) -> Step:
        if self._name is None:
            self._name = octets
            return Challenge(b"Password:")
        return _login(self._name, octets)


def _login(name: bytes, password: bytes) -> Login | Reply:
    if len(password) > MAX_PASSWORD or len(name) > 2 * MAX_NAME:
        return MALFORMED
    return Login(name.decode("utf-8", "replace"), password)
