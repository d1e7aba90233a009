"""Where the programs of others are that tests and the bench run against, and what to say when one is not here.

A program is looked for in this order: its variable `MAILHAUL_<NAME>`, the PATH with the system folders, and the folder
into which `make setup` unpacks packages that must not be installed (a machine has one MTA). Used by every integration
test; a missing program skips the test with the package to install, and never fails it.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
UNPACKED = REPOSITORY / ".venv" / "programs"
"""Here `make setup` unpacks Debian packages, each into a folder of the package's name."""
_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is not ours: its file name and the Debian package that holds it."""

    name: str
    package: str

    @property
    def variable(self) -> str:
        """The environment variable that may name its path."""
        return f"MAILHAUL_{self.name.upper().replace('-', '_')}"


PROGRAMS = {
    program.name: program
    for program in (
        Program("postfix", "postfix"),
        Program("postconf", "postfix"),
        Program("smtp-source", "postfix"),
        Program("smtp-sink", "postfix"),
        Program("exim4", "exim4-daemon-light"),
        Program("promtool", "prometheus"),
        Program("swaks", "swaks"),
        Program("srs", "srs"),
        Program("gcc", "gcc"),
        Program("openssl", "openssl"),
        Program("curl", "curl"),
        Program("buildah", "buildah"),
        Program("unshare", "util-linux"),
        Program("chromium", "chromium"),
        Program("chromium-headless-shell", "chromium-headless-shell"),
    )
}


def find(name: str) -> Path | None:
    """Give the path of a program, or None. A variable that names no executable file is as good as absent."""
    program = PROGRAMS[name]
    named = os.environ.get(program.variable)
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *_SYSTEM]
    folders += [str(UNPACKED / program.package / folder) for folder in ("usr/sbin", "usr/bin")]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def need(name: str) -> Path:
    """Give the path of a program, or skip the test and say what to install."""
    found = find(name)
    if found is None:
        pytest.skip(missing(name))
    return found


def missing(name: str) -> str:
    """Say in one line what is missing and the remedy; the skip summary groups tests by this text."""
    program = PROGRAMS[name]
    return f"needs {name}: `make setup` as root, or install the package {program.package}, or set {program.variable}"


def need_root(why: str) -> None:
    """Skip the test unless it runs as root. `why` completes "needs root ..."."""
    if os.geteuid() != 0:
        pytest.skip(f"needs root {why}")
