"""A directory that changes as a Kubernetes volume does: all files at once, by the swap of one symlink.

`up` writes each relay's configuration and secrets through it; the relay cannot tell it from a ConfigMap or Secret:
`FILE -> ..data/FILE`, `..data -> ..2026_11_21_11_02_33.1a2b3c4d/`. Directories are 0700, files 0600.
Failures: OSError, and then the old content still stands.
"""

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

_DATA = "..data"


class Mount:
    """One such directory; it is made when it is first written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self) -> dict[str, bytes]:
        """Give the files as they lie there now; none when nothing was written yet."""
        current = self.directory / _DATA
        if not current.is_dir():
            return {}
        return {file.name: file.read_bytes() for file in sorted(current.iterdir()) if file.is_file()}

    def write(self, files: Mapping[str, bytes]) -> bool:
        """Replace the whole content. Tells whether anything changed; an equal content is left alone."""
        if (self.directory / _DATA).is_dir() and self.read() == files:
            return False
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._fresh(files)
        old = self._swap(fresh)
        self._link(files)
        if old:
            shutil.rmtree(self.directory / old, ignore_errors=True)
        return True

    def _fresh(self, files: Mapping[str, bytes]) -> str:
        name = f"..{datetime.now(UTC):%Y_%m_%d_%H_%M_%S}.{token_hex(4)}"
        target = self.directory / name
        target.mkdir(mode=0o700)
        for key, content in files.items():
            descriptor = os.open(target / key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        return name

    def _swap(self, fresh: str) -> str:
        """Let `..data` point to the fresh directory in one step; gives the old one's name, "" when there was none."""
        link, temporary = self.directory / _DATA, self.directory / "..data_tmp"
        old = os.readlink(link) if link.is_symlink() else ""
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(fresh)
        temporary.replace(link)
        return old

    def _link(self, files: Mapping[str, bytes]) -> None:
        for entry in self.directory.iterdir():
            if not entry.name.startswith("..") and entry.name not in files:
                entry.unlink()
        for key in files:
            link = self.directory / key
            if not link.is_symlink():
                link.symlink_to(f"{_DATA}/{key}")
