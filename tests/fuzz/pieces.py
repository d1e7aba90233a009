"""One input cut in several ways: a network gives octets in pieces of any length, and that must not matter."""

from collections.abc import Iterator

_SHORT = 300
"""Octets up to which every one of them comes as a piece of its own; more would make a check slow."""


def cuts(data: bytes) -> tuple[int, bytes, list[list[bytes]]]:
    """Give a number from the first octet, the octets that follow, and these as a whole, in the smallest pieces, and in
    pieces of a length that the number says.
    """
    number, content = data[:1], data[1:]
    choice = number[0] if number else 0
    smallest = 1 if len(content) <= _SHORT else 53
    return choice, content, [[content], list(pieces(content, smallest)), list(pieces(content, 2 + choice % 31))]


def pieces(content: bytes, length: int) -> Iterator[bytes]:
    """Give the octets in pieces."""
    for start in range(0, len(content), length):
        yield content[start : start + length]
