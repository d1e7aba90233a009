"""The local parts of a mail's addresses where a server repeats them bare ("bob... User unknown"): others chose them.

`classify` reads a reply without them before it believes that an upstream is in trouble, `reply_shape` puts one word for
all of them. Many are common words ("user", "daily"): a local part is marked where it can hardly be one, in quotes or
brackets, before "..." or a colon at the start, or with anything but letters in it. It cannot fail.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import re2

_SEPARATORS = r"\s<>()\[\],;:\"'!?/="
_WORD = re2.compile(f"[^{_SEPARATORS}]+")
_SEPARATOR = re2.compile(f"[{_SEPARATORS}]")
_ESCAPED = re2.compile(r"\\(.)")
_AROUND = ".`*|{}“”„‘’«»"
_OPENERS, _CLOSERS = frozenset("\"'<(["), frozenset("\"'>)]")


@dataclass(frozen=True, slots=True)
class LocalParts:
    """Local parts in lower case: words, and phrases that more than letters, digits and the like are in."""

    words: frozenset[str]
    phrases: tuple[str, ...]

    def replaced(self, text: str, by: str, marked_only: bool = False) -> str:
        """Put `by` for each local part in a text, or only for those that are marked."""
        lowered = text.lower()
        for phrase in self.phrases:
            if phrase in lowered:
                text = re2.sub(f"(?i){re2.escape(phrase)}", by, text)
        said = text
        return str(
            _WORD.sub(
                lambda word: by if self._is_meant(said, word.start(), word.end(), marked_only) else word.group(), said
            )
        )

    def _is_meant(self, text: str, start: int, end: int, marked_only: bool) -> bool:
        word = text[start:end].lower()
        known = word in self.words or word.strip(_AROUND) in self.words
        return known and (not marked_only or _is_marked(text, start, end))


@lru_cache(maxsize=16)
def local_parts(addresses: tuple[str, ...]) -> LocalParts:
    """The local parts of addresses, also without quotes and without what follows a plus sign; kept, since each refused
    recipient of one mail asks.
    """
    names = frozenset(_names(addresses)) - {""}
    phrases = frozenset(name for name in names if _SEPARATOR.search(name))
    spoken = (phrase for phrase in phrases if any(one.isalpha() for one in phrase))
    return LocalParts(names - phrases, tuple(sorted(spoken, key=len, reverse=True)))


def _names(addresses: Iterable[str]) -> Iterable[str]:
    for address in addresses:
        whole = address.rpartition("@")[0].strip('"').lower()
        yield from (whole, _ESCAPED.sub(r"\1", whole), whole.partition("+")[0])


def _is_marked(text: str, start: int, end: int) -> bool:
    """Whether a word of a text is written as no word of a sentence is."""
    word = text[start:end]
    if not word.strip(_AROUND).isalpha() or word.endswith("..."):
        return True
    before, after = text[:start].strip()[-1:], text[end : end + 1]
    return (before in _OPENERS and after in _CLOSERS) or (not before and after == ":")
