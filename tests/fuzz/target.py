"""What is fuzzed: each module of `targets` is one, with a `check` of any octets that fails when a rule is broken.

`drive` gives a target to atheris, `run` starts several, `test_fuzz_corpora.py` replays what was found without atheris.
A check says more than "does not raise": it compares with a second reading, with another cut of the same octets, or
with what was put in. What it refuses is a value; any exception is a finding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

_TARGETS = Path(__file__).with_name("targets")
CORPORA = Path(__file__).with_name("corpora")


@dataclass(frozen=True, slots=True)
class Target:
    """`check` takes one input, `longest` is how many octets are tried, `words` are what inputs are made of."""

    name: str
    check: Callable[[bytes], None]
    longest: int
    words: tuple[bytes, ...]


def names() -> list[str]:
    """Give the names of all targets."""
    return sorted(path.stem for path in _TARGETS.glob("*.py"))


def load(name: str) -> Target:
    """Import a target. Raises ModuleNotFoundError for a name that is none."""
    module = import_module(f"tests.fuzz.targets.{name}")
    return Target(name, module.check, module.LONGEST, module.WORDS)


def corpus(name: str) -> list[Path]:
    """Give the inputs that are kept for a target, in order."""
    return sorted((CORPORA / name).iterdir())
