"""The templates of the objects: readable YAML with places for values (`manifests/*.yaml.j2`), and how they are filled.

Used by `objects` and `external_secrets`. A value never becomes text that YAML reads: in its place stands a mark, in
JSON, and once the text is parsed, the mark gives way to the value as JSON has it. So nothing that a resource holds can
change the structure of an object; and as texts that differ in values alone are equal, each is parsed once and not for
each relay. Failures are mistakes of our own templates: jinja2's UndefinedError for a
name without a value, TypeError or ValueError for a value that JSON does not have, yaml.YAMLError and ValueError for a
text that is not one mapping.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from mailhaul_operator.plan.snapshot import Manifest

_MARK: Final = "\ue000"
"""Begins a mark; the number of the value follows. Of a private use, so no template has it."""
_PLAIN: Final = (str, int, bool, type(None))
"""Types whose values are what JSON makes of them."""
_VALUES: Final = "values of this object"
"""Where the values are collected; with blanks, so no template can name it."""
TEXTS: Final = 128
"""Texts that are kept parsed: one for each template and each choice of the optional parts in it."""


@pass_context
def _mark(context: Context, value: object) -> str:
    """Put a value aside, and write its mark in its place."""
    if isinstance(value, StrictUndefined):
        str(value)
    values = context[_VALUES]
    values.append(value if type(value) in _PLAIN else json.loads(json.dumps(value, allow_nan=False)))
    return f'"{_MARK}{len(values) - 1}"'


_TEMPLATES: Final = Environment(
    loader=PackageLoader("mailhaul_operator.plan", "manifests"),
    undefined=StrictUndefined,
    finalize=_mark,
    autoescape=False,  # noqa: S701 - this is YAML, and no value is written into it
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_TEMPLATES.globals.clear()  # one of them is called `namespace` and would stand in for a value that is missing


def render(template: str, values: dict[str, Any]) -> Manifest:
    """Fill `manifests/<template>.yaml.j2` and give the object."""
    aside: list[Any] = []
    text = _TEMPLATES.get_template(f"{template}.yaml.j2").render({**values, _VALUES: aside})
    manifest = _filled(_parsed(text), aside)
    if not isinstance(manifest, dict):
        raise ValueError(f"manifests/{template}.yaml.j2 gives no object")
    return manifest


@lru_cache(maxsize=TEXTS)
def _parsed(text: str) -> Any:  # noqa: ANN401 - any YAML
    """Parse a text with marks. What it gives is shared, so nobody changes it."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _filled(tree: Any, aside: Sequence[Any]) -> Any:  # noqa: ANN401 - any YAML
    """Give a copy of a parsed text with the values for their marks."""
    if isinstance(tree, str):
        return aside[int(tree[1:])] if tree.startswith(_MARK) else tree
    if isinstance(tree, dict):
        return {_filled(name, aside): _filled(one, aside) for name, one in tree.items()}
    return [_filled(one, aside) for one in tree] if isinstance(tree, list) else tree
