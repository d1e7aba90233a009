"""The layout that DESIGN.md section 1 fixes: where packages begin, where tests live, what no module is called."""

import ast
from pathlib import Path

from tests.support.repository import REPOSITORY, files, python_files, tree

VAGUE = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "stuff"}
TOP = {
    "operator",
    "relay",
    "crds",
    "charts",
    "deploy",
    "examples",
    "docs",
    "tests",
    "bench",
    "requirements",
    ".ci",
    ".github",
}


def test_operator_and_relay_are_plain_folders() -> None:
    # `operator` is a module of the standard library: a package of that name would hide it.
    assert not [top for top in ("operator", "relay") if (REPOSITORY / top / "__init__.py").exists()]


def test_no_tests_lie_below_operator_or_relay() -> None:
    below = [path for path in files() if path.parts[0] in {"operator", "relay"}]
    assert not [path for path in below if path.name.startswith(("test_", "conftest")) or "tests" in path.parts]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [path for path in files() if path.suffix == ".py" and VAGUE & {*path.parts[:-1], path.stem}]


def test_tests_lie_in_the_documented_folders() -> None:
    kinds = {
        "unit",
        "golden",
        "dialogs",
        "replies",
        "integration",
        "torture",
        "fuzz",
        "e2e",
        "meta",
        "support",
        "conftest.py",
    }
    assert {path.parts[1] for path in files() if path.parts[0] == "tests"} <= kinds


def test_every_test_file_has_a_name_of_its_own() -> None:
    seen: dict[str, Path] = {}
    for path in python_files("tests"):
        if path.name.startswith("test_"):
            assert path.name not in seen, f"{path} and {seen[path.name]} have one name"
            seen[path.name] = path


def test_top_folders_are_the_documented_ones() -> None:
    assert {path.parts[0] for path in files() if len(path.parts) > 1} <= TOP


def test_every_module_has_a_docstring() -> None:
    bare = [
        path for path in python_files("operator", "relay", "bench", "examples") if not ast.get_docstring(tree(path))
    ]
    assert not bare, f"say in a docstring what these modules are for: {bare}"
