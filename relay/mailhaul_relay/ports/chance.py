"""Chance as a parameter: jitter and ids."""

from random import Random
from typing import Protocol


class Chance(Protocol):
    """A source of numbers in [0, 1)."""

    def __call__(self) -> float:
        """Give the next number."""
        ...


_random = Random()  # noqa: S311 - seeded by the system; jitter and ids need no secrecy, and a system call is 10 us
system_chance: Chance = _random.random

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


def message_id(now: float) -> str:
    """Give a new message id: 8 characters of milliseconds (they sort by time), 8 of chance; lower-case base 32."""
    value = (int(now * 1000) & (1 << 40) - 1) << 40 | _random.getrandbits(40)
    return "".join([_PAIRS[value >> shift & 1023] for shift in (70, 60, 50, 40, 30, 20, 10, 0)])
