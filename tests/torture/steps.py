"""The steps of a case as text, and the octets that they stand for.

A talk has one step a line; `cases` reads it, `play` does it:

    c: NOOP                 the client says this and CRLF
    raw: a\\r\\n\\x00          the client says exactly this
    bytewise: a\\r\\n         the same, each octet in a packet of its own
    many: 100 RCPT TO:<u#@x>    so many lines in one write, `#` being their number
    message: text           a header with the case's token, this body (dots stuffed), and the final CRLF.CRLF
    slow-message: text      the same, each octet in a packet of its own
    headed: From: ...       a message with a header of the case's own; the token must stand in it
    s: 250 5xx              a reply with one of these codes; x is any digit; `gone` for a server that closed, the end
    s: 250 ~ SIZE           ... and this text in it (`!~`: not in it), case ignored
    s*100: 250              so many such replies
    end: 250 552            the reply to the final dot; a 2xx is a promise that the sink is asked about
    tls                     the client begins TLS; `tls?` only when the last reply was 220
    half                    the client sends no more (half-close)
    quiet: 0.3              the server says nothing for so many seconds
    closed                  the server closes; a 421 may come first
    gone                    the server closes, whatever octets come before
    replies: 2              everything until the server closes: at most so many replies

Escapes: `\\r \\n \\t \\\\ \\xNN`, `\\*20{text}` for twenty times the text, `\\[01-08,0b]` for each octet of the ranges.
A malformed step raises ValueError when the cases are read.
"""

from dataclasses import dataclass

WORDS = frozenset(
    "c raw bytewise many message slow-message headed s end tls tls? half quiet closed gone replies".split()  # noqa: SIM905
)
_PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}
DIGITS = frozenset("0123456789x")
GONE = "gone"
END_OF_DATA = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a talk."""

    word: str
    value: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reply must be: one of some code patterns, with and without a text."""

    codes: tuple[str, ...]
    has: str = ""
    lacks: str = ""

    @classmethod
    def parse(cls, text: str) -> "Wanted":
        """Read `250 5xx ~ text` or `250 !~ text`."""
        codes, _, lacks = text.partition(" !~ ")
        codes, _, has = codes.partition(" ~ ")
        patterns = tuple(codes.split())
        if not patterns or any(one != GONE and (len(one) != 3 or not set(one) <= DIGITS) for one in patterns):
            raise ValueError(f"no reply codes: {text!r}")
        return cls(patterns, has.strip(), lacks.strip())

    def objection(self, reply: str) -> str:
        """Say why a reply is not as wanted; "" when it is."""
        if not any(_matches(one, reply[:3]) for one in self.codes):
            return f"wanted {' or '.join(self.codes)}"
        if self.has.casefold() not in reply.casefold():
            return f"wanted {self.has!r} in the reply"
        if self.lacks and self.lacks.casefold() in reply.casefold():
            return f"{self.lacks!r} may not be in the reply"
        return ""


def _matches(pattern: str, code: str) -> bool:
    return len(code) == 3 and all(want in {"x", digit} for want, digit in zip(pattern, code, strict=True))


def read_talk(text: str) -> tuple[Step, ...]:
    """Give the steps of a talk."""
    return tuple(_step(line) for line in text.split("\n") if line.strip())


def _step(line: str) -> Step:
    word, _, value = line.partition(":")
    word, _, times = word.partition("*")
    if word not in WORDS or (times and word != "s"):
        raise ValueError(f"no such step: {line!r}")
    return Step(word, value.removeprefix(" "), int(times or 1))


def octets(text: str) -> bytes:
    """Give the octets of a text with escapes."""
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] == "\\":
            more, at = _escaped(text, at + 1)
            out += more
        else:
            out += text[at].encode()
            at += 1
    return bytes(out)


def _escaped(text: str, at: int) -> tuple[bytes, int]:
    """Give what an escape stands for, and where the text goes on."""
    kind = text[at]
    if kind == "x":
        return bytes([int(text[at + 1 : at + 3], 16)]), at + 3
    if kind == "*":
        begin, end = text.index("{", at), text.index("}", at)
        return octets(text[begin + 1 : end]) * int(text[at + 1 : begin]), end + 1
    if kind == "[":
        end = text.index("]", at)
        return _ranges(text[at + 1 : end]), end + 1
    return _PLAIN[kind], at + 1


def _ranges(text: str) -> bytes:
    pairs = (one.partition("-") for one in text.split(","))
    return b"".join(bytes(range(int(low, 16), int(high or low, 16) + 1)) for low, _, high in pairs)


def unstuffed(wire: bytes) -> bytes:
    """Give content as its reader sees it: of each line that begins with a dot, that dot is gone (RFC 5321 4.5.2)."""
    lines = wire.split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
