"""Lines of every field of a YAML document, found again by paths like `spec.upstreams[0].providerRef`."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Positions:
    """`lines` has the line (from 1) of every key and item by its path; the document itself has the empty path."""

    lines: Mapping[str, int]

    def line(self, path: str) -> int:
        """Give the line of a path, or that of the nearest path around it that exists."""
        while path not in self.lines:
            path = parent(path)
        return self.lines[path]


def child(path: str, key: str) -> str:
    """Give the path of a member of an object."""
    return f"{path}.{key}" if path else key


def item(path: str, index: int) -> str:
    """Give the path of an item of a list."""
    return f"{path}[{index}]"


def parent(path: str) -> str:
    """Give the path without its last step; a key with dots may take several."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]
