"""The files of this repository, as the meta tests see them: tracked ones and those about to be."""

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_BUILT = {".git", ".venv", "bench-work", "fuzz-work", "dist", "__pycache__"}


@cache
def files() -> tuple[Path, ...]:
    """Give every file that git tracks or would add, relative to the repository; without git, every file not built."""
    git = shutil.which("git")
    if git and (REPOSITORY / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, timeout=30).stdout.decode()
        names = (Path(name) for name in listed.split("\0") if name)
        return tuple(sorted(name for name in names if (REPOSITORY / name).is_file()))
    found = (path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*") if path.is_file())
    return tuple(sorted(path for path in found if not _BUILT & set(path.parts)))


def python_files(*folders: str) -> list[Path]:
    """Give the Python files below these top folders."""
    return [path for path in files() if path.suffix == ".py" and path.parts[0] in folders]


@cache
def text(path: Path) -> str:
    """Give a file's text; bytes that are no UTF-8 become replacement characters."""
    return (REPOSITORY / path).read_text(encoding="utf-8", errors="replace")


@cache
def tree(path: Path) -> ast.Module:
    """Give a Python file's syntax tree."""
    return ast.parse(text(path), str(path))
