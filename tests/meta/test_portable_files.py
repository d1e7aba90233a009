"""No file ties the project to one machine or one registry: images and packages come from where the user says."""

import re
from pathlib import Path

from tests.support.repository import files, text

# Spelled in two halves, so that this file keeps its own rule.
_HOSTS = (
    ("docker", "io"), ("ghcr", "io"), ("quay", "io"), ("gcr", "io"), ("registry.k8s", "io"), ("public.ecr", "aws"),
    ("mcr.microsoft", "com"), ("registry.gitlab", "com"), ("azurecr", "io"), ("pkg", "dev"), ("pypi", "org"),
    ("pythonhosted", "org"), ("npmjs", "org"), ("proxy.golang", "org"), ("crates", "io"), ("jfrog", "io"),
)  # fmt: skip
_REGISTRY = re.compile("|".join(rf"\b{re.escape(name)}\.{end}\b" for name, end in _HOSTS), re.IGNORECASE)
_INDEX = re.compile(r"--(?:extra-)?index-url|--find-links|index-url\s*=")
_MACHINE = re.compile(rf"(?<![\w.$-])/(?:{'wo'}rk|root|home(?!/you)|Users)/\w|/tmp/(?:w|h\d)/")
_SELF = Path("tests/meta/test_portable_files.py")


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate(text(path).splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_registry() -> None:
    assert not _lines_with(_REGISTRY)


def test_no_file_but_this_one_sets_a_package_index() -> None:
    assert not [line for line in _lines_with(_INDEX) if not line.startswith(f"{_SELF}:")]


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not [line for line in _lines_with(_MACHINE) if not line.startswith(f"{_SELF}:")]
