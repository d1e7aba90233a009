"""SMTP accounts of clients as text: one `name:password` a line, the password hashed or, with `{PLAIN}`, as it is.

The operator's `plan.accounts` checks what a user wrote and puts what is good into the assembled Secret; the relay reads
it there. Forms: `$argon2id$v=19$m=,t=,p=$salt$hash` (RFC 9106), `$scrypt$ln=,r=,p=$salt$hash` (RFC 7914) and
`{PLAIN}text`. The cost of a hash is bounded, for every login pays it. Empty lines and those that begin with `#` mean
nothing. A line that cannot be used is a `Fault`, and the others still count; no fault repeats a line.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_ACCOUNTS = 1000
MAX_TEXT = 131_072
"""Octets of all accounts; the assembled Secret holds 1 MiB with everything else."""
MAX_NAME = 128
MAX_PASSWORD = 255
"""Octets of a password, as RFC 4616 has them."""
MAX_MEMORY = 64 * 1024 * 1024
"""Octets that checking one password may take; the default of argon2's tools."""
MAX_WORK = 4 * MAX_MEMORY
"""Memory times passes, about half a second of a processor."""
FORMS = "$argon2id$..., $scrypt$... or {PLAIN}..."
PLAIN = "{PLAIN}"


@dataclass(frozen=True, slots=True)
class Plain:
    """A password that lies in the Secret as it is."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Argon2id:
    """An encoded hash, as argon2's own library takes it."""

    encoded: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scrypt:
    """A hash with its parameters: `n` rounds, `r` the block size, `p` the passes."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    hash: bytes = field(repr=False)


Password = Plain | Argon2id | Scrypt


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line cannot be used, by its number (from 1; 0 is the whole text), with the remedy."""

    line: int
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Accounts:
    """`passwords` by name, and what could not be read. Shows no name and no password."""

    passwords: Mapping[str, Password] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()


class _UnusableError(ValueError):
    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


def parse_accounts(content: bytes) -> Accounts:
    """Read accounts; the first of two lines with one name counts."""
    if len(content) > MAX_TEXT:
        return Accounts(faults=(Fault(0, f"more than {MAX_TEXT} octets", "keep fewer accounts, or shorter hashes"),))
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Accounts(faults=(Fault(0, "not UTF-8", "write it as UTF-8 text"),))
    passwords: dict[str, Password] = {}
    faults: list[Fault] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        try:
            _add(passwords, line)
        except _UnusableError as error:
            faults.append(Fault(number, str(error), error.remedy))
    return Accounts(passwords, tuple(faults))


def is_account_name(text: str) -> bool:
    """Whether an account can have this name: printable ASCII without blanks and colons, at most 128 characters."""
    return 0 < len(text) <= MAX_NAME and all("!" <= one <= "~" and one != ":" for one in text)


def _add(passwords: dict[str, Password], line: str) -> None:
    name, colon, form = line.partition(":")
    if not colon:
        raise _UnusableError("there is no colon in it", f"write name:password, the password as {FORMS}")
    if not is_account_name(name):
        raise _UnusableError(
            "the name cannot be used", f"use up to {MAX_NAME} printable ASCII characters without blanks"
        )
    if name in passwords:
        raise _UnusableError("the name stands on an earlier line too", "keep one of the lines")
    if len(passwords) >= MAX_ACCOUNTS:
        raise _UnusableError(f"it is beyond {MAX_ACCOUNTS} accounts", "keep fewer accounts")
    passwords[name] = _password(form)


def _password(form: str) -> Password:
    if form.startswith(PLAIN):
        return _plain(form.removeprefix(PLAIN))
    parts = form.split("$")
    if form.startswith("$argon2id$v=19$") and len(parts) == 6:
        return _argon2id(form, parts)
    if form.startswith("$scrypt$") and len(parts) == 5:
        return _scrypt(parts)
    raise _UnusableError("the form of the password is not known", f"write it as {FORMS}")


def _plain(password: str) -> Plain:
    octets = password.encode()
    if not 0 < len(octets) <= MAX_PASSWORD or not password.isprintable():
        raise _UnusableError("the password is empty, too long or not printable", f"use 1 to {MAX_PASSWORD} octets")
    return Plain(octets)


def _argon2id(form: str, parts: list[str]) -> Argon2id:
    m, t, p = _parameters(parts[3], ("m", "t", "p"))
    _salt_and_hash(parts[4], parts[5])
    if not (1 <= p <= 16 and t >= 1 and m >= 8 * p):
        raise _UnusableError("the hash has parameters that argon2 does not know", "hash the password anew")
    _affordable(m * 1024, t)
    return Argon2id(form)


def _scrypt(parts: list[str]) -> Scrypt:
    ln, r, p = _parameters(parts[2], ("ln", "r", "p"))
    salt, digest = _salt_and_hash(parts[3], parts[4])
    if not (1 <= ln <= 24 and 1 <= r <= 64 and 1 <= p <= 16):
        raise _UnusableError("the hash has parameters that scrypt does not know", "hash the password anew")
    _affordable(128 * r << ln, p)
    return Scrypt(1 << ln, r, p, salt, digest)


def _affordable(memory: int, passes: int) -> None:
    if memory > MAX_MEMORY or memory * passes > MAX_WORK:
        told = f"the hash takes {memory // 1_048_576} MiB in {passes} passes to check"
        raise _UnusableError(
            told, f"hash with at most {MAX_MEMORY // 1_048_576} MiB, such as `mailhaul relay account` does"
        )


def _parameters(text: str, names: tuple[str, ...]) -> tuple[int, ...]:
    words = [one.partition("=") for one in text.split(",")]
    known = tuple(name for name, _, _ in words) == names
    if not known or not all(value.isascii() and value.isdigit() and len(value) <= 9 for _, _, value in words):
        raise _UnusableError("the parameters of the hash cannot be read", "hash the password anew")
    return tuple(int(value) for _, _, value in words)


def _salt_and_hash(salt: str, digest: str) -> tuple[bytes, bytes]:
    octets = (_decoded(salt), _decoded(digest))
    if not (8 <= len(octets[0]) <= 64 and 16 <= len(octets[1]) <= 64):
        raise _UnusableError("salt or hash is too short or too long", "use 8 to 64 octets of salt, 16 to 64 of hash")
    return octets


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise _UnusableError("salt or hash is not base64", "copy the whole hash") from None
