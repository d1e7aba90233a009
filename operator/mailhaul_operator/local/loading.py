"""Files and environment in, resources and located findings out: what every command here begins with.

Failures: what cannot be read or is no resource becomes a finding; `LoadError` only for an environment variable that is
not set.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from mailhaul_operator.api.resources import Resources
from mailhaul_operator.local.envsecrets import EnvSecret, with_env
from mailhaul_operator.manifests.read import read
from mailhaul_operator.manifests.reading import Place, Reading, Refused
from mailhaul_operator.plan.findings import OF_ABSENCE, Finding, Reason


class LoadError(ValueError):
    """The command line asks for something that is not there."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where resources come from."""

    files: tuple[Path, ...]
    env_secrets: tuple[EnvSecret, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """A finding and where it stands; no place when its object came from no file."""

    finding: Finding
    place: Place | None

    def to_json(self) -> dict[str, str | int]:
        """Give the form of `-o json`."""
        where: dict[str, str | int] = {"file": str(self.place.file), "line": self.place.line} if self.place else {}
        return {**where, **self.finding.to_json()}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The resources that could be read. `is_broken` tells that something in the files could not."""

    resources: Resources
    reading: Reading

    @property
    def is_broken(self) -> bool:
        """Whether a file or a document was refused: what was meant is then unknown."""
        return bool(self.reading.refused)

    def located(self, findings: Iterable[Finding]) -> tuple[Located, ...]:
        """Add what was refused while reading to findings of the plan, and find their lines.

        What was refused may be what the plan misses, so findings of absence are then not told.
        """
        refused = (Located(_finding(one), one.place) for one in self.reading.refused)
        known = (one for one in findings if not (self.is_broken and one.reason in OF_ABSENCE))
        planned = (Located(one, self.reading.place(one.object, one.field)) for one in known)
        return (*refused, *planned)


def load(source: Source) -> Loaded:
    """Read everything. Raises LoadError."""
    reading = read(source.files)
    try:
        secrets = with_env(reading.resources.secrets, source.env_secrets)
    except ValueError as error:
        raise LoadError(str(error)) from None
    return Loaded(replace(reading.resources, secrets=secrets), reading)


def _finding(refused: Refused) -> Finding:
    reason = Reason.INVALID if refused.object.kind else Reason.UNREADABLE
    return Finding(refused.object, refused.path, reason, refused.reason, refused.remedy)
