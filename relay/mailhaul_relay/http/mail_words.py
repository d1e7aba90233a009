"""Bytes of a mail as words: charsets that may be anything, and the encoded words of headers (RFC 2047).

`mime_parts` and `mail_text` use it. Only charsets that mail is written in are decoded: the name comes from a stranger,
and Python would also import modules by it, or decode `punycode` for minutes. It never fails: what cannot be read
becomes U+FFFD, an encoded word that is none stays as it is.
"""

import binascii
from encodings.aliases import aliases

import re2

MAX_HEADER = 4096
"""Characters of one header's value that are decoded."""

_CHARSETS_AS_TEXT = (
    "utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_8_sig"
    " iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9 iso8859_10 iso8859_11"
    " iso8859_13 iso8859_14 iso8859_15 iso8859_16 cp437 cp850 cp852 cp866 cp874 cp1250 cp1251 cp1252 cp1253 cp1254"
    " cp1255 cp1256 cp1257 cp1258 koi8_r koi8_u mac_roman gb2312 gbk gb18030 big5 big5hkscs shift_jis cp932 euc_jp"
    " iso2022_jp euc_kr cp949 iso2022_kr tis_620"
)
_CHARSETS = frozenset(_CHARSETS_AS_TEXT.split())
# As browsers do (https://encoding.spec.whatwg.org/#names-and-labels): Latin-1 is Windows' superset of it. What
# says ASCII and is not is looked at as if it said nothing.
_AS = {"latin_1": "cp1252", "iso8859_1": "cp1252"}
_WORD = re2.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")


def charset_of(name: str) -> str:
    """Give the codec for a charset's name, "" for one that is not known."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")[:40]
    codec = aliases.get(plain, plain)
    codec = _AS.get(codec, codec)
    return codec if codec in _CHARSETS else ""


def text_of(content: bytes, charset: str = "") -> str:
    """Decode; without a known charset it is UTF-8 where it can be, else Windows-1252."""
    codec = charset_of(charset)
    if not codec:
        codec = "utf_8" if _is_utf8(content) else "cp1252"
    try:
        return writable(content.decode(codec, "replace"))
    except (UnicodeError, ValueError):
        return content.decode("cp1252", "replace")


def writable(text: str) -> str:
    """Give text that can be written: UTF-7, for one, spells halves of characters, and a list of all mail has each."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def decoded(value: str) -> str:
    """Give a header's value as one line with its encoded words decoded; only the first 4096 characters count."""
    plain = " ".join(value[:MAX_HEADER].split())
    if "=?" not in plain:
        return plain
    pieces: list[str] = []
    pending, charset, end = b"", "", 0
    for found in _WORD.finditer(plain):
        between = plain[end : found.start()]
        # White space between two encoded words is not shown, and a character may be cut in two by them.
        if between.strip() or not end or found[1].lower() != charset:
            pieces += [text_of(pending, charset) if pending else "", between if between.strip() or not end else ""]
            pending = b""
        pending, charset, end = pending + _bytes(found[2], found[3]), found[1].lower(), found.end()
    whole = "".join([*pieces, text_of(pending, charset) if pending else "", plain[end:]])
    return " ".join(whole.split())


def _bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    return base64_of(raw)


def base64_of(content: bytes) -> bytes:
    """Decode base64 as far as it goes; bytes outside its alphabet do not count."""
    for attempt in (content, content.translate(None, b"=\r\n \t") + b"==="):
        try:
            return binascii.a2b_base64(attempt)
        except binascii.Error:
            continue
    return b""


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
