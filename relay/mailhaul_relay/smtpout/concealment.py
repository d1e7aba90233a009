"""Keeps what a session logged in with out of the words of the other side, wherever these are told.

`login` and `token_login` name the forms of a credential before they send it, `replies` takes them out of a reply when
it becomes a value that is stored or shown, `recording` out of a transcript. Nothing here fails.
"""

import base64
from collections.abc import Iterable

MIN_CONCEALED = 4
"""Octets from which a password is taken out of the other side's words; a shorter one would riddle every text."""
CONCEALED = b"***"


def forms(*secrets: bytes) -> tuple[bytes, ...]:
    """Give what not to tell, the longest first: these, and their base64, also without its padding."""
    encoded = [base64.b64encode(one).rstrip(b"=") for one in secrets]
    # A secret that is base64 itself may be repeated without its padding too.
    known = {one for secret in (*secrets, *encoded) for one in (secret, secret.rstrip(b"="))}
    return longest_first(one for one in known if len(one) >= MIN_CONCEALED)


def longest_first(secrets: Iterable[bytes]) -> tuple[bytes, ...]:
    """Give each once, in the order in which they are looked for: a short one may be a part of a long one."""
    return tuple(sorted(set(secrets), key=lambda one: (-len(one), one)))


def conceal(text: bytes, secrets: Iterable[bytes]) -> bytes:
    """Give a text without these."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret + b"=" * (-len(secret) % 4), CONCEALED).replace(secret, CONCEALED)
    return text
