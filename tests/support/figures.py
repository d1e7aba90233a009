"""What tests against a cluster have measured: the lines that they printed, which pytest shows of failures only."""

from collections.abc import Iterable, Mapping

MOST_LINES = 12
"""Of one test; a demo prints a page."""
LONGEST = 200


def figure_lines(printed: Mapping[str, str]) -> list[str]:
    """Give the report of a run: each test that printed something by its name, and under it the beginning of that."""
    return [line for name, text in printed.items() if text.strip() for line in (name, *_beginning(text.splitlines()))]


def _beginning(lines: Iterable[str]) -> list[str]:
    told = [f"  {line.rstrip()[:LONGEST]}" for line in lines if line.strip()]
    more = len(told) - MOST_LINES
    return [*told[:MOST_LINES], f"  and {more} more lines"] if more > 0 else told
