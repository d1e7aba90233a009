"""Passwords of SMTP accounts: checked against what the Secret has, and hashed for a person who writes one.

`logins` checks in a thread of its own, for a hash takes a good part of a second's processor and up to 64 MiB; both
libraries let go of the interpreter meanwhile. `app` hashes (`mailhaul relay account`). Comparing takes as long for a
wrong password as for the right one. Nothing here tells or keeps a password; a hash that the library cannot use is no
password at all.
"""

import hashlib
import hmac
import secrets
from typing import assert_never

from mailhaul_contract.accounts import MAX_MEMORY, Argon2id, Password, Plain, Scrypt

PASSES, MEMORY_KIB, LANES = 2, 19_456, 1
"""What OWASP's cheat sheet for the storage of passwords asks of argon2id at least (2026)."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""mallopt(3)."""
_MAPPED = 4 * 1024 * 1024
"""Octets from which an allocation is a mapping of its own; above everything that mail needs."""


def verify(password: Password, given: bytes) -> bool:
    """Whether this is the password. Slow, but for `Plain`."""
    match password:
        case Plain():
            return hmac.compare_digest(password.password, given)
        case Scrypt():
            return hmac.compare_digest(_scrypt(password, given), password.hash)
        case Argon2id():
            return _is_argon2id(password, given)
        case _:
            assert_never(password)


def hashed(password: bytes) -> str:
    """Give an argon2id hash of a password in the form of the Secret."""
    from argon2.low_level import Type, hash_secret  # noqa: PLC0415 - see below

    salt = secrets.token_bytes(16)
    return hash_secret(password, salt, PASSES, MEMORY_KIB, LANES, 32, Type.ID).decode()


def keep_no_memory() -> None:
    """Have the C library return what a check took as soon as it is done: glibc would keep up to 32 MiB of it for the
    next time. Call it before the first one; elsewhere than with glibc it does nothing.
    """
    import ctypes  # noqa: PLC0415 - 1 MB that a relay without hashes need not have

    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_M_MMAP_THRESHOLD, _MAPPED)
        option(_M_TRIM_THRESHOLD, 2 * _MAPPED)


def is_quick(password: Password) -> bool:
    """Whether `verify` costs nothing to speak of."""
    return isinstance(password, Plain)


def _scrypt(password: Scrypt, given: bytes) -> bytes:
    size = len(password.hash)
    return hashlib.scrypt(
        given, salt=password.salt, n=password.n, r=password.r, p=password.p, maxmem=2 * MAX_MEMORY, dklen=size
    )


def _is_argon2id(password: Argon2id, given: bytes) -> bool:
    # 4 MB of memory, which a relay without such accounts need not have.
    from argon2.exceptions import Argon2Error  # noqa: PLC0415
    from argon2.low_level import Type, verify_secret  # noqa: PLC0415

    try:
        return verify_secret(password.encoded.encode(), given, Type.ID)
    except Argon2Error:
        return False
