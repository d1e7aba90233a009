"""What reading files gives: resources, what was refused, what was passed over, and where everything stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailhaul_operator.api.resources import Resources
from mailhaul_operator.manifests.positions import Positions
from mailhaul_operator.plan.findings import ObjectRef


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Refused:
    """Something wrong with a file or an object in it. `path` is like `spec.upstreams[0]`, empty for the whole."""

    object: ObjectRef
    place: Place
    path: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        at = f"{self.path}: " if self.path else ""
        return f"{self.place}: {at}{self.reason}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that is none of ours and was not read."""

    place: Place
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind} {self.name} is not read here"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object was read. `prefix` is its path within the document, for items of a List."""

    file: Path
    positions: Positions
    prefix: str = ""

    def place(self, path: str = "") -> Place:
        """Give the place of a field, or of the nearest field around it that exists."""
        joined = ".".join(part for part in (self.prefix, path) if part)
        return Place(self.file, self.positions.line(joined))


@dataclass(frozen=True, slots=True)
class Reading:
    """The outcome of reading files. Objects that were refused are not among the resources."""

    resources: Resources = field(default_factory=Resources)
    refused: tuple[Refused, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    origins: Mapping[ObjectRef, Origin] = field(default_factory=dict)

    def place(self, subject: ObjectRef, path: str = "") -> Place | None:
        """Give the file and line of an object's field; None when the object was not read from a file."""
        origin = self.origins.get(subject)
        return origin.place(path) if origin else None
