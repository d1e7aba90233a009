"""A line of those who wait, in which whoever holds the least stands first.

`slots` has one for givers, and one for each of them for its domains. Nothing here can fail.
"""


class Line:
    """Names with the number of slots that each holds; of equal ones that first which has held no more for the longest.

    They lie in buckets by that number. What is held in all is bounded, so the numbers that differ are few: the square
    root of twice as many.
    """

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[int, dict[str, None]] = {}

    def __bool__(self) -> bool:
        return bool(self._buckets)

    def first(self) -> str:
        """Give the name whose turn it is; there must be one."""
        buckets = self._buckets
        return next(iter(buckets[min(buckets)] if len(buckets) > 1 else next(iter(buckets.values()))))

    def add(self, name: str, held: int) -> None:
        """Let a name wait that does not yet."""
        self._buckets.setdefault(held, {})[name] = None

    def drop(self, name: str, held: int) -> None:
        """Let a name wait no longer."""
        bucket = self._buckets[held]
        del bucket[name]
        if not bucket:
            del self._buckets[held]
