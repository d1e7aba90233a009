"""Words of header fields: encoded words (RFC 2047) read and written, display names made safe.

`rewriting` takes a stranger's display name into a From of ours, `bounces` writes text of others into headers. What
comes out is one line of printable ASCII, folded where encoded, so that no name can end a header or add one.
Cannot fail: what cannot be decoded stays as it is.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from quopri import decodestring

from mailhaul_contract.addresses import Address

MAX_NAME = 64
"""Characters of a display name that we write."""

# Every class excludes its delimiter, so nothing can backtrack.
_ENCODED = re.compile(r"=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z0-9-]{1,20})?\?([bBqQ])\?([^?\s]*)\?=", re.ASCII)
_CHARSETS = (
    "utf-8",
    "utf8",
    "us-ascii",
    "iso-8859-",
    "windows-125",
    "koi8-",
    "gb",
    "big5",
    "shift_jis",
    "euc-",
    "iso-2022-",
)
_PLAIN = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*", re.ASCII)
_WORD_OCTETS = 42
"""Octets of UTF-8 in one encoded word: 56 characters of base64, well below the 75 that a word may have."""


def decode_words(text: str) -> str:
    """Give a header text with its encoded words decoded (RFC 2047 section 6.2: blanks between two are dropped)."""
    out: list[str] = []
    end, was_word = 0, False
    for found in _ENCODED.finditer(text):
        between = text[end : found.start()]
        decoded = _decoded(found[1].lower(), found[2].lower(), found[3])
        if not (was_word and decoded is not None and not between.strip()):
            out.append(between)
        out.append(found[0] if decoded is None else decoded)
        end, was_word = found.end(), decoded is not None
    return "".join(out) + text[end:]


def safe_name(text: str) -> str:
    """Give a display name of others on one line: control and direction characters gone, `MAX_NAME` long at most.

    An encoded word that we could not decode is defaced, for some readers decode them even inside quotes.
    """
    *before, last = text.split("?")
    defaced = "?".join([*(part.rstrip("=") for part in before), last])  # of "==?" no "=?" may be left
    printable = "".join(one if one.isprintable() else " " for one in defaced)
    return " ".join(printable.split())[:MAX_NAME].rstrip()


def mailbox(name: str, address: Address) -> bytes:
    """Write `name <address>`; the name is quoted or encoded where it must be."""
    if not name:
        return str(address).encode()
    if not name.isascii():
        phrase = encode_words(name)
    elif _PLAIN.fullmatch(name) and "=?" not in name:
        phrase = name
    else:
        phrase = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{phrase} <{address}>".encode()


def encode_words(text: str) -> str:
    """Write text as encoded words in UTF-8 and base64, folded; no character is cut in two."""
    words: list[bytes] = [b""]
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(words[-1]) + len(octets) > _WORD_OCTETS:
            words.append(b"")
        words[-1] += octets
    return "\r\n ".join(f"=?utf-8?B?{b64encode(word).decode('ascii')}?=" for word in words)


def _decoded(charset: str, encoding: str, text: str) -> str | None:
    """The charset is the sender's choice: only those of text are taken, for Python knows stranger codecs."""
    if not charset.startswith(_CHARSETS) or not text.isascii():
        return None
    try:
        octets = b64decode(text, validate=True) if encoding == "b" else decodestring(text.encode("ascii"), header=True)
        return octets.decode(charset, "replace")
    except (Base64Error, ValueError, LookupError):
        return None
