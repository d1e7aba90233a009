"""The locks: every dependency pinned with its hashes, the two agree, and no line names where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.support.repository import text

LOCKS = (Path("requirements/runtime.lock"), Path("requirements/dev.lock"))
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


def test_both_locks_pin_the_same_versions() -> None:
    runtime, dev = (_pins(lock) for lock in LOCKS)
    assert not {name: (pin, dev.get(name)) for name, pin in runtime.items() if dev.get(name) != pin}


def test_every_declared_dependency_is_locked() -> None:
    declared = tomllib.loads(text(Path("pyproject.toml")))["project"]["dependencies"]
    wanted = [line.split("#")[0].strip() for line in text(Path("requirements/dev.in")).splitlines()]
    runtime, dev = (_pins(lock) for lock in LOCKS)
    assert not [name for name in map(_name, declared) if name not in runtime]
    assert not [name for name in map(_name, filter(None, wanted)) if name not in dev]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return _normal(found[0])
