"""Whether a refusal says nothing but words that are understood.

A row of `reply_table` asks it before it fails mail: "user unknown" proves nothing where the rest of the sentence
speaks of things that nobody foresaw. The lists of words stand in `replies.toml`. It cannot fail.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import re2

_NOISE = re2.compile(r"\S*\d\S*|[\w-]+://\S*|[\w-]+(?:\.[\w-]+)+|<\S*>")
"""What names no thing: numbers and identifiers, addresses of pages, names of hosts and of users."""
_WORD = re2.compile(r"\pL+(?:['’]\pL+)*")
_FIRST_IDEOGRAPH = "\u2e80"


class _Whole(Protocol):
    """A compiled RE2 pattern."""

    def fullmatch(self, text: str, /) -> object | None:
        """Match the whole text."""
        ...


@dataclass(frozen=True, slots=True)
class Understood:
    """Words in lower case, and phrases of scripts that put no blanks between words."""

    words: frozenset[str]
    phrases: _Whole

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read words and phrases, parted by blanks and ends of lines."""
        given = text.lower().split()
        phrases = [re2.escape(one) for one in given if one >= _FIRST_IDEOGRAPH]
        words = frozenset(one for one in given if one < _FIRST_IDEOGRAPH)
        return cls(words, re2.compile(f"(?:{'|'.join(phrases)})+"))

    def whole(self, text: str) -> bool:
        """Whether every word of a reply is understood."""
        said: list[str] = _WORD.findall(_NOISE.sub(" ", text.lower()))
        return all(word in self.words or self.phrases.fullmatch(word) is not None for word in said)
