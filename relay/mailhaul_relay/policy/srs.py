"""Sender Rewriting Scheme: envelope senders of forwards that pass SPF and whose bounces find their way back.

`rewriting` makes them, `admission` resolves those that come back. The form is that of the SRS draft (libsrs2,
Mail::SRS with its guarded scheme), so that other relays on the path understand it:
`SRS0=hash=day=domain=local` for a first rewriting, `SRS1=hash=first-relay==hash=day=domain=local` for a second.
The hash is HMAC-SHA1 over the lower-cased parts, its first `HASH_LENGTH` base64 characters, compared without case,
since some relays fold local parts. A stranger may address a valid one with any envelope sender: auto-replies and
sender call-outs are not null; the hash and the age of 21 days keep it from being an open relay. The four characters
that others use by default are 2 million values without case, which RCPT alone finds in a minute: too short for us.
Failures: an address that is not ours, forged or stale is None.
"""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass, field

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_relay.policy.dates import DAY

MAX_AGE_DAYS = 21
HASH_LENGTH = 10
"""Characters of the hash, in what we sign and at least in what we take: 6e15 values without case."""
_DAYS = 1024
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SEPARATORS = "=+-"


@dataclass(frozen=True, slots=True)
class SrsRewriter:
    """Signs with the first secret, verifies with all, in the relay's SRS domain."""

    secrets: tuple[bytes, ...] = field(repr=False)
    domain: str

    def forward(self, sender: str, now: float) -> str:
        """Give the envelope sender to forward with. The null sender, one of this domain, and one whose rewritten
        form would be no valid address any more (longer than 254 octets) come back as they are.
        """
        if not sender:
            return sender
        try:
            address = Address.parse(sender)
            if address.domain == self.domain:
                return sender
            return str(Address.parse(str(Address(self._local(address, now), self.domain))))
        except AddressError:
            return sender

    def reverse(self, address: Address, now: float) -> str | None:
        """Give the address behind one of ours: the sender (SRS0) or the first relay's SRS0 address (SRS1)."""
        tag, rest = address.local[:5].upper(), address.local[5:]
        if address.domain != self.domain or tag[4:] not in _SEPARATORS:
            return None
        if tag.startswith("SRS0"):
            return self._reverse_first(rest, now)
        return self._reverse_next(rest) if tag.startswith("SRS1") else None

    def _local(self, address: Address, now: float) -> str:
        tag, rest = address.local[:4].upper(), address.local[4:]
        if tag == "SRS0" and rest[:1] in _SEPARATORS and rest:
            return f"SRS1={self._sign(address.domain, rest)}={address.domain}={rest}"
        if tag == "SRS1" and rest[:1] in _SEPARATORS and rest.count("=") >= 2 + rest.startswith("="):
            _, relay, inner = rest[1:].split("=", 2)
            if _address(f"SRS0{inner}", relay):  # else it only looks so, and no bounce would find its way back
                return f"SRS1={self._sign(relay, inner)}={relay}={inner}"
        day = _day(now)
        return f"SRS0={self._sign(day, address.domain, address.local)}={day}={address.domain}={address.local}"

    def _reverse_first(self, rest: str, now: float) -> str | None:
        parts = rest.split("=", 3)
        if len(parts) != 4 or not self._verifies(*parts) or not _is_fresh(parts[1], now):
            return None
        return _address(parts[3], parts[2])

    def _reverse_next(self, rest: str) -> str | None:
        parts = rest.split("=", 2)
        if len(parts) != 3 or not self._verifies(*parts):
            return None
        return _address(f"SRS0{parts[2]}", parts[1])

    def _sign(self, *parts: str) -> str:
        return _hash(self.secrets[0], *parts)

    def _verifies(self, given: str, *parts: str) -> bool:
        expected = (_hash(secret, *parts).lower().encode() for secret in self.secrets)
        folded = given.lower().encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(one, folded) for one in expected)


def _hash(secret: bytes, *parts: str) -> str:
    data = "".join(parts).lower().encode("utf-8", "surrogatepass")
    return b64encode(hmac.new(secret, data, hashlib.sha1).digest()).decode("ascii")[:HASH_LENGTH]


def _day(now: float) -> str:
    day = int(now // DAY) % _DAYS
    return _BASE32[day >> 5] + _BASE32[day & 31]


def _is_fresh(stamp: str, now: float) -> bool:
    """Days are counted modulo 1024, so one of yesterday is 1 day old and one of tomorrow 1023."""
    high, low = (_BASE32.find(character) for character in stamp.upper()) if len(stamp) == 2 else (-1, -1)
    if high < 0 or low < 0:
        return False
    return (int(now // DAY) - (high << 5 | low)) % _DAYS <= MAX_AGE_DAYS


def _address(local: str, domain: str) -> str | None:
    try:
        return str(Address.parse(str(Address(local, domain))))
    except AddressError:
        return None
