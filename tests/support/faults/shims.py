"""Faults of the disk for a child process: builds the LD_PRELOAD shims beside this file, and strikes power cuts.

Tests of the spool start `spool_driver` under them. Skips the test, with the reason, when there is no C compiler.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def build(name: str, target: Path) -> Path:
    """Compile `name`.c to a shared library in the directory `target`."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler (Debian: apt-get install gcc libc6-dev)")
    library = target / f"{name}.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(library)]
    subprocess.run([*command, str(_HERE / f"{name}.c"), "-ldl", "-lpthread"], check=True, timeout=60)
    return library


class PowerCut:
    """What `lose_unsynced` keeps of a directory, and how to get it back after the process was killed."""

    def __init__(self, library: Path, root: Path, shadow: Path) -> None:
        self.root = root
        self._library = library
        self._shadow = shadow
        self.begin()

    def environment(self) -> dict[str, str]:
        """Give the variables of the process that will lose its power."""
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            "LOSE_ROOT": str(self.root),
            "LOSE_SHADOW": str(self._shadow),
        }

    def strike(self) -> None:
        """Throw away everything below the root that was not synced. The process must be dead."""
        listings = {
            _unescape(path.name): path
            for path in self._shadow.joinpath("dirs").iterdir()
            if not path.name.endswith("~")
        }
        survivors = self._shadow.with_name("survivors")
        survivors.mkdir()
        self._rebuild(Path(), survivors, listings)
        shutil.rmtree(self.root)
        survivors.rename(self.root)
        self.begin()

    def _rebuild(self, relative: Path, target: Path, listings: dict[str, Path]) -> None:
        listing = listings.get(str(relative))
        for line in listing.read_text().splitlines() if listing else ():
            number, name = line.split(" ", 1)
            if number == "d":
                (target / name).mkdir()
                self._rebuild(relative / name, target / name, listings)
                continue
            kept = self._shadow / "files" / number
            (target / name).write_bytes(kept.read_bytes() if kept.exists() else b"")

    def begin(self) -> None:
        """Take everything that is there now as synced. No process may use the directory."""
        shutil.rmtree(self._shadow, ignore_errors=True)
        for name in ("files", "dirs"):
            (self._shadow / name).mkdir(parents=True)
        numbers: list[str] = []
        for directory, names, files in os.walk(self.root):
            lines = [f"d {name}" for name in names]
            for name in files:
                path = Path(directory) / name
                numbers.append(f"{path.stat().st_ino} {len(numbers) + 1}")
                shutil.copyfile(path, self._shadow / "files" / str(len(numbers)))
                lines.append(f"{len(numbers)} {name}")
            listing = self._shadow / "dirs" / _escape(str(Path(directory).relative_to(self.root)))
            listing.write_text("".join(f"{line}\n" for line in lines))
        (self._shadow / "start").write_text("".join(f"{line}\n" for line in numbers))


def _escape(path: str) -> str:
    return "%" + path.replace("/", "%")


def _unescape(name: str) -> str:
    return name.removeprefix("%").replace("%", "/")
