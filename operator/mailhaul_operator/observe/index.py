"""A set of values under each key, without empty sets: what the cache's indexes are made of. Pure."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class Index(Generic[K, V]):
    """Which values are under a key; a value may be under several."""

    def __init__(self) -> None:
        self._sets: dict[K, set[V]] = {}

    def add(self, keys: Iterable[K], value: V) -> None:
        """Put a value under each of these keys."""
        for key in keys:
            self._sets.setdefault(key, set()).add(value)

    def remove(self, keys: Iterable[K], value: V) -> None:
        """Take a value away from each of these keys."""
        for key in keys:
            found = self._sets.get(key, set())
            found.discard(value)
            if not found:
                self._sets.pop(key, None)

    def of(self, key: K) -> frozenset[V]:
        """Give the values under a key."""
        return frozenset(self._sets.get(key, ()))
