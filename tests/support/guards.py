"""The listener's guards, found in its source: every condition that leads to a refusal. Each can be taken out.

A guard is an `if`, or a conditional expression, in `smtpin`, one way of which refuses: names or makes a negative
`Reply`, calls `_err`, `_refuse`, `deny` or `close`, or notes a `fault`. `taken_out` makes the running function go the
other way, as if somebody had deleted the guard; `tests/dialogs/test_guards.py` asks that some test then fails.
"""

import ast
import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mailhaul_relay import smtpin
from mailhaul_relay.model.outcome import Reply

_CALLS = frozenset({"_err", "_refuse", "deny", "_deny", "Reply", "_overflow"})
_OF_SESSIONS = frozenset({"self.close", "session.close"})
_NAMES = frozenset({"OVERLONG"})


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition: where it stands, and the way on which nothing is refused."""

    module: str
    function: str
    condition: str
    line: int
    column: int
    passes: bool
    """What the condition must be for nothing to be refused."""
    number: int = 1
    """Counts the same conditions of one function."""

    @property
    def name(self) -> str:
        """Its name without a line number, which every edit would change."""
        times = f" ({self.number})" if self.number > 1 else ""
        return f"{self.module}.{self.function}: {self.condition}{times}"


def guards() -> tuple[Guard, ...]:
    """Give all of them, in the order of the source."""
    found: list[Guard] = []
    for info in pkgutil.iter_modules(smtpin.__path__):
        module = importlib.import_module(f"{smtpin.__name__}.{info.name}")
        tree = ast.parse(inspect.getsource(module))
        found += [one for name, function in _functions(tree, "") for one in _of_function(module, name, function)]
    found.sort(key=lambda one: (one.module, one.line, one.column))
    seen: Counter[str] = Counter()
    for at, guard in enumerate(found):
        seen[guard.name] += 1
        found[at] = replace(guard, number=seen[guard.name])
    return tuple(found)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{child.name}", child


def _of_function(module: ModuleType, name: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Guard]:
    for node in ast.walk(function):
        for passes in _ways(module, node):
            yield Guard(
                module=module.__name__.rpartition(".")[2],
                function=name,
                condition=ast.unparse(node.test),  # type: ignore[attr-defined]
                line=node.lineno,  # type: ignore[attr-defined]
                column=node.col_offset,  # type: ignore[attr-defined]
                passes=passes,
            )
        for block in _blocks(node):
            yield from _early_returns(module, name, block)


def _ways(module: ModuleType, node: ast.AST) -> Iterator[bool]:
    """Tell what the condition of a node must be for nothing to be refused, when one of its ways refuses at once."""
    if isinstance(node, ast.IfExp):
        sides = (_refuses(module, [node.body]), _refuses(module, [node.orelse]))
    elif isinstance(node, ast.If):
        further = [] if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If) else node.orelse
        sides = (_refuses(module, node.body), _refuses(module, further))
    else:
        return
    if sides[0] != sides[1]:
        yield sides[1]


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _early_returns(module: ModuleType, name: str, block: list[ast.stmt]) -> Iterator[Guard]:
    """`if good: ...; return` before a refusal at the end of a block."""
    for at, node in enumerate(block[:-1]):
        if not isinstance(node, ast.If) or node.orelse or not isinstance(node.body[-1], ast.Return):
            continue
        if not _refuses(module, node.body) and _refuses(module, [block[at + 1]]):
            place = module.__name__.rpartition(".")[2]
            yield Guard(place, name, ast.unparse(node.test), node.lineno, node.col_offset, passes=True)


def _refuses(module: ModuleType, nodes: list[Any]) -> bool:
    """Whether these statements or expressions refuse, further conditions in them apart."""
    return any(_refuses_at_once(module, node) for node in nodes)


def _refuses_at_once(module: ModuleType, node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return False
    if isinstance(node, ast.Call) and (_called(node) in _CALLS or ast.unparse(node.func) in _OF_SESSIONS):
        return True
    if isinstance(node, ast.Name) and (node.id in _NAMES or _is_negative(getattr(module, node.id, None))):
        return True
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = getattr(module, node.value.id, None)
        if isinstance(owner, ModuleType) and _is_negative(getattr(owner, node.attr, None)):
            return True
    if isinstance(node, ast.Assign) and any(
        isinstance(one, ast.Attribute) and one.attr == "fault" for one in node.targets
    ):
        return True
    return any(_refuses_at_once(module, child) for child in ast.iter_child_nodes(node))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_negative(value: object) -> bool:
    return isinstance(value, Reply) and value.code >= 400


@contextmanager
def taken_out(guard: Guard) -> Iterator[None]:
    """Let the function go on as if the guard were not there, in this process, until the end."""
    module = importlib.import_module(f"{smtpin.__name__}.{guard.module}")
    function = _function(module, guard.function)
    before = function.__code__
    function.__code__ = _without(module, guard)
    _forget_results(module)
    try:
        yield
    finally:
        function.__code__ = before
        _forget_results(module)


def _without(module: ModuleType, guard: Guard) -> CodeType:
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp) and (node.lineno, node.col_offset) == (guard.line, guard.column):
            node.test = ast.copy_location(ast.Constant(guard.passes), node.test)
    codes = _codes(compile(tree, module.__file__ or "", "exec"))
    return next(one for one in codes if one.co_qualname == guard.function)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


def _function(module: ModuleType, name: str) -> FunctionType:
    """Find the function object behind decorators."""
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part]
    for attribute in ("fget", "__func__", "__wrapped__"):
        found = getattr(found, attribute, None) or found
    assert isinstance(found, FunctionType), name
    return found


def _forget_results(module: ModuleType) -> None:
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
