"""Which files are read, and their text: bounded in number and size, in a stable order.

Failures: `FileRefused` with a reason and a remedy.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_FILES = 1000
MAX_BYTES = 8 * 2**20
SUFFIXES = frozenset({".yaml", ".yml", ".json"})


class FileRefused(ValueError):  # noqa: N818 - the name of the fact
    """A file cannot be read."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = path, reason, remedy


def find(paths: Iterable[Path]) -> Iterator[Path]:
    """Give the files to read: those named, and `.yaml`, `.yml` and `.json` below directories; each once.

    Hidden files and directories are passed over. Raises FileRefused.
    """
    seen: set[Path] = set()
    for path in paths:
        for file in _below(path) if path.is_dir() else (path,):
            if file.resolve() in seen:
                continue
            seen.add(file.resolve())
            if len(seen) > MAX_FILES:
                raise FileRefused(path, f"more than {MAX_FILES} files", "name the files or a smaller directory")
            yield file


def _below(directory: Path) -> list[Path]:
    found = (path for path in directory.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(directory).parts))


def read_text(path: Path) -> str:
    """Give the text of a file; raises FileRefused."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileRefused(path, "there is no such file", "correct the name") from None
    except OSError as error:
        raise FileRefused(path, f"cannot be read: {error.strerror}", "make it readable") from None
    if len(content) > MAX_BYTES:
        raise FileRefused(path, f"larger than {MAX_BYTES >> 20} MiB", "split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(path, "not UTF-8 text", "save it as UTF-8") from None
