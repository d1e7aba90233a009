"""The locks: every dependency pinned with its hashes, the two agree, and no line names where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.support.repository import text

RUNTIME, OPERATOR, DEV, BUILD, FUZZ = (
    Path(f"requirements/{name}.lock") for name in ("runtime", "operator", "dev", "build", "fuzz")
)
LOCKS = (RUNTIME, OPERATOR, DEV, BUILD, FUZZ)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)((?:\s+\\\n\s+--hash=sha256:[0-9a-f]{64})*)", re.MULTILINE)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pins(lock: Path) -> dict[str, tuple[str, int]]:
    return {_normal(name): (version, hashes.count("--hash")) for name, version, hashes in _PIN.findall(text(lock))}


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_line_of_a_lock_is_a_pin_a_hash_or_a_comment(lock: Path) -> None:
    known = re.compile(r"[A-Za-z0-9._-]+==\S+( ; .*)? \\|\s+--hash=sha256:[0-9a-f]{64}( \\)?|\s*#.*|\s*")
    assert not [line for line in text(lock).splitlines() if not known.fullmatch(line)]


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_pin_has_hashes(lock: Path) -> None:
    pins = _pins(lock)
    assert pins
    assert not [name for name, (_, hashes) in pins.items() if hashes == 0]


@pytest.mark.parametrize("lock", [RUNTIME, OPERATOR, BUILD], ids=str)
def test_what_ships_is_what_was_tested(lock: Path) -> None:
    dev = _pins(DEV)
    assert not {name: (pin, dev.get(name)) for name, pin in _pins(lock).items() if dev.get(name) != pin}


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads(text(Path("pyproject.toml")))["project"]
    declared, operators = project["dependencies"], project["optional-dependencies"]["operator"]
    wanted = [line.split("#")[0].strip() for line in text(Path("requirements/dev.in")).splitlines()]
    runtime, dev = _pins(RUNTIME), _pins(DEV)
    assert not [name for name in map(_name, declared) if name not in runtime]
    assert not [name for name in map(_name, operators) if name not in _pins(OPERATOR)]
    assert not [name for name in map(_name, filter(None, wanted)) if name not in dev]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return _normal(found[0])
