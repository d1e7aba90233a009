"""Which upstreams will not send a From domain, in words that name all of them, and what to do; bounded.

`routing` collects them when no upstream is left, `queue.rounds` adds those that others refused to the words of the
last one. Pure.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_NAMED = 5
"""Upstreams that are named; a relay has at most a few dozen."""


class FromRefusal(NamedTuple):
    """An upstream that does not send `domain` ("" is an empty From): by its settings, or by the provider's word."""

    upstream: str
    domain: str
    by_settings: bool


def words(refusals: Iterable[FromRefusal]) -> str:
    """Tell who refuses what, those with the same reason together; "" when nobody does."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for one in refusals:
        groups.setdefault((one.domain, one.by_settings), []).append(one.upstream)
    return "; ".join(_told(names, domain, by_settings) for (domain, by_settings), names in groups.items())


def with_others(text: str, refusals: Sequence[FromRefusal], told: str, most: int) -> str:
    """Give the words of the upstream `told`, and after them who else refuses; they give way where room ends."""
    others = words(one for one in refusals if one.upstream != told)[: most // 2]
    return f"{text[: most - len(others) - 2]}; {others}" if others else text[:most]


def _told(names: list[str], domain: str, by_settings: bool) -> str:
    several = len(names) > 1
    who = ", ".join(sorted(names)[:MOST_NAMED])  # by weight each mail has another order
    if len(names) > MOST_NAMED:
        who += f" and {len(names) - MOST_NAMED} more"
    if by_settings:
        return f"{who} may not send {domain or 'an empty From'}; see {'their' if several else 'its'} spec.senders"
    return f"{who} {'refuse' if several else 'refuses'} From domain {domain}; verify it there"
