"""Where one `up` keeps its things, and the lock by which only one does.

    STATE/lock                    held while `up` runs
    STATE/up.json                 what runs: the same as --ready-file
    STATE/relays/NS/NAME/config   the mounted configuration (see `mount`)
    STATE/relays/NS/NAME/secrets  the mounted Secret
    STATE/relays/NS/NAME/spool    the queue, which survives from run to run
    STATE/relays/NS/NAME/relay.log, ready.json

Failures: `StateInUseError`, and OSError when the directory cannot be made.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

DEFAULT = Path(".mailhaul")


class StateInUseError(Exception):
    """Another `mailhaul up` runs on this directory."""


@dataclass(frozen=True, slots=True)
class RelayPlace:
    """The directory of one relay."""

    directory: Path

    @property
    def config(self) -> Path:
        """The mounted configuration."""
        return self.directory / "config"

    @property
    def secrets(self) -> Path:
        """The mounted Secret."""
        return self.directory / "secrets"

    @property
    def spool(self) -> Path:
        """The queue."""
        return self.directory / "spool"

    @property
    def log(self) -> Path:
        """The relay's log lines."""
        return self.directory / "relay.log"

    @property
    def ready(self) -> Path:
        """What the relay writes once it accepts mail."""
        return self.directory / "ready.json"


class State:
    """The state directory, locked from `open` to `close`."""

    def __init__(self, directory: Path, lock: int) -> None:
        self.directory = directory
        self._lock = lock

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Make the directory when needed and take its lock. Raises StateInUseError, OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise StateInUseError(
                f"another `mailhaul up` runs on {directory}; stop it, or choose another --state-dir"
            ) from None
        return cls(directory, lock)

    def place(self, namespace: str, name: str) -> RelayPlace:
        """Give a relay's directory, made for its owner alone."""
        place = relay_place(self.directory, namespace, name)
        place.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def close(self) -> None:
        """Forget what ran and give up the lock."""
        running_file(self.directory).unlink(missing_ok=True)
        os.close(self._lock)


def relay_place(directory: Path, namespace: str, name: str) -> RelayPlace:
    """Tell where a relay's things are, without making anything."""
    return RelayPlace(directory.absolute() / "relays" / namespace / name)


def running_file(directory: Path) -> Path:
    """Tell which file says what runs on a state directory."""
    return directory / "up.json"


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a small JSON file in one step, for its owner alone: a reader sees the old or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    temporary.replace(path)
