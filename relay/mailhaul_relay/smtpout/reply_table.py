"""The rows of `replies.toml`, read once and compiled: which reply of which provider means what.

`classify` asks it. A row matches when every condition that it names holds; the first match in the file's order wins.
No row of any server fails mail where a word of doubt is found (`doubt` in the file): such a reply goes on to the rows
that keep it. A provider's own rows match its own words, which need no doubt.
Failure: a wrong row raises ValueError when the table is loaded, which a test does.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Protocol, Self

import re2

from mailhaul_relay.model.outcome import Fault, Reply, Stage, Verdict
from mailhaul_relay.smtpout.reply_words import Understood

_KEYS = frozenset(
    {"name", "profiles", "stages", "codes", "enhanced", "text", "unless", "only", "fault", "verdict", "remedy", "docs"}
)


NO_LISTS: Mapping[str, Understood] = MappingProxyType({})


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def search(self, text: str, /) -> object | None:
        """Find it anywhere."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """One row. An empty condition holds for everything. `codes` are codes, or first digits such as `5`; `enhanced`
    are enhanced codes where `x` stands for any class and `*` for any detail. `text` must be found, `unless` must not
    (`exception` is it, compiled), nor `doubt`, which every row of any server has that fails mail. With `only` every
    word must be in one of these lists; `only_lists` are their names.
    """

    name: str
    fault: Fault
    verdict: Verdict
    remedy: str
    docs: str = ""
    profiles: frozenset[str] = frozenset()
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()
    enhanced: frozenset[str] = frozenset()
    text: str = ""
    unless: str = ""
    pattern: Pattern | None = None
    exception: Pattern | None = None
    doubt: Pattern | None = None
    only: tuple[Understood, ...] = ()
    only_lists: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: dict[str, Any], doubt: str = "", lists: Mapping[str, Understood] = NO_LISTS) -> Self:
        """Read one row of the file; raises ValueError on an unknown key, word or list. `doubt` forbids to fail mail."""
        if unknown := set(given) - _KEYS:
            raise ValueError(f"replies.toml: row {given.get('name', '?')!r} has unknown keys {sorted(unknown)}")
        text, unless = _alternatives(given.get("text", "")), _alternatives(given.get("unless", ""))
        verdict = Verdict(given["verdict"])
        doubtful = verdict is Verdict.FAILED and not given.get("profiles")
        return cls(
            name=given["name"],
            fault=Fault(given["fault"]),
            verdict=verdict,
            remedy=given["remedy"],
            docs=given.get("docs", ""),
            profiles=frozenset(given.get("profiles", ())),
            stages=frozenset(Stage(one) for one in given.get("stages", ())),
            codes=frozenset(given.get("codes", ())),
            enhanced=frozenset(given.get("enhanced", ())),
            text=text,
            unless=unless,
            pattern=_compiled(text),
            exception=_compiled(unless),
            doubt=_compiled(doubt if doubtful else ""),
            only=_named(lists, given),
            only_lists=_lists(given),
        )

    def matches(self, profile: str, stage: Stage, reply: Reply) -> bool:
        """Whether every condition holds."""
        return (
            (not self.profiles or profile in self.profiles)
            and (not self.stages or stage in self.stages)
            and (not self.codes or reply.code in self.codes or reply.code // 100 in self.codes)
            and (not self.enhanced or not self.enhanced.isdisjoint(_written(reply.enhanced)))
            and (self.pattern is None or self.pattern.search(reply.text) is not None)
            and (self.exception is None or self.exception.search(reply.text) is None)
            and (self.doubt is None or self.doubt.search(reply.text) is None)
            and (not self.only or any(one.whole(reply.text) for one in self.only))
        )


def _alternatives(given: str | list[str]) -> str:
    """Join the patterns of a list into one that any of them fulfils."""
    return given if isinstance(given, str) else "|".join(given)


def _named(lists: Mapping[str, Understood], given: dict[str, Any]) -> tuple[Understood, ...]:
    """The lists of understood words that a row names; none when the table is read without lists."""
    if lists and (unknown := set(_lists(given)) - set(lists)):
        raise ValueError(f"replies.toml: row {given['name']!r} names unknown lists {sorted(unknown)}")
    return tuple(lists[name] for name in _lists(given) if lists)


def _lists(given: dict[str, Any]) -> tuple[str, ...]:
    only = given.get("only", ())
    return (only,) if isinstance(only, str) else tuple(only)


def _compiled(text: str) -> Pattern | None:
    """Compile a pattern, None when there is none; the library gives one object for one text."""
    return re2.compile(f"(?i){text}") if text else None


def _written(enhanced: str) -> tuple[str, str, str]:
    """The ways in which a row may name an enhanced code: 5.7.1, x.7.1, x.7.*."""
    return enhanced, f"x{enhanced[1:]}", f"x{enhanced[1:].rpartition('.')[0]}.*"


def first_match(rows: Iterable[Row], profile: str, stage: Stage, reply: Reply) -> Row | None:
    """Give the row that decides, None when none does."""
    return next((row for row in rows if row.matches(profile, stage, reply)), None)


@lru_cache(maxsize=1)
def rows() -> tuple[Row, ...]:
    """Give the table, loaded at the first use."""
    doubt, lists = _alternatives(doubts()), understood()
    return tuple(Row.parse(given, doubt, lists) for given in _table()["reply"])


def doubts() -> list[str]:
    """Give the patterns of the words that forbid rows of any server to fail mail."""
    return [str(pattern) for pattern in _table()["doubt"]]


def understood() -> dict[str, Understood]:
    """Give the lists of words that a refusal may say if it is to fail mail."""
    return {name: Understood.parse(words) for name, words in _table()["understood"].items()}


def _table() -> dict[str, Any]:
    text = (files("mailhaul_relay.smtpout") / "replies.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
