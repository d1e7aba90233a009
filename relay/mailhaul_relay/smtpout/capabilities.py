"""What a server offered in its reply to EHLO (RFC 5321 section 4.1.1.1), as far as the relay makes use of it.

Read by `connection`, asked by `preparation` and `transaction`. What was not offered is never sent. It cannot fail:
what is not understood is not offered.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The offer. `size` is in octets: 0 offered without a limit, None not offered (RFC 1870)."""

    pipelining: bool = False
    eight_bit: bool = False
    utf8: bool = False
    start_tls: bool = False
    size: int | None = None
    mechanisms: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, lines: Iterable[bytes]) -> Self:
        """Read the lines after the first, without their codes."""
        offered: dict[str, list[str]] = {}
        for line in lines:
            # Old servers write `AUTH=LOGIN` as well, for clients that are older still.
            words = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ", 1).split()
            if words:
                offered.setdefault(words[0], []).extend(words[1:])
        return cls(
            pipelining="PIPELINING" in offered,
            eight_bit="8BITMIME" in offered,
            utf8="SMTPUTF8" in offered,
            start_tls="STARTTLS" in offered,
            size=_size(offered["SIZE"]) if "SIZE" in offered else None,
            mechanisms=frozenset(offered.get("AUTH", ())),
        )


def _size(words: list[str]) -> int:
    return int(words[0]) if words and words[0].isascii() and words[0].isdigit() and len(words[0]) < 16 else 0
