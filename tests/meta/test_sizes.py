"""Caps on size: a module or function above them has more than one reason to exist and is to be split."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.repository import python_files, text, tree

MODULE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 6
OURS = ("operator", "relay", "bench", "examples")


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg not in {"self", "cls"}]
    return len(names) + bool(given.vararg) + bool(given.kwarg)


def test_modules_are_at_most_400_lines() -> None:
    long = {str(path): len(text(path).splitlines()) for path in python_files(*OURS, "tests")}
    assert not {path: lines for path, lines in long.items() if lines > MODULE_LINES}


def test_functions_are_at_most_60_lines() -> None:
    long = [
        f"{path}:{one.lineno} {one.name}: {(one.end_lineno or 0) - one.lineno + 1} lines"
        for path in python_files(*OURS, "tests")
        for one in _functions(path)
        if (one.end_lineno or 0) - one.lineno + 1 > FUNCTION_LINES
    ]
    assert not long


def test_functions_take_at_most_6_parameters() -> None:
    many = [
        f"{path}:{one.lineno} {one.name}: {_parameters(one)} parameters"
        for path in python_files(*OURS)
        for one in _functions(path)
        if _parameters(one) > PARAMETERS
    ]
    assert not many
