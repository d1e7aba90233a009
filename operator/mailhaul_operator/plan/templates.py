"""The templates of the objects: readable YAML with places for values (`manifests/*.yaml.j2`), and how they are filled.

Used by `objects` and `external_secrets`. Every value is written as JSON in ASCII, which is YAML too, so nothing that a
resource holds can change the structure of an object. Failures are mistakes of our own templates: jinja2's
UndefinedError for a name without a value, TypeError for a value that JSON does not have, yaml.YAMLError and ValueError
for a text that is not one mapping.
"""

import json
from typing import Any, Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from mailhaul_operator.plan.snapshot import Manifest


def as_json(value: object) -> str:
    """Write a value so that YAML reads the same one: JSON, and what is not printable ASCII as YAML's own escapes.

    JSON's escapes of astral characters are pairs of surrogates, which YAML does not join; its `\\UXXXXXXXX` it does.
    """
    if isinstance(value, StrictUndefined):
        str(value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\x7f", "\\x7f")


_TEMPLATES: Final = Environment(
    loader=PackageLoader("mailhaul_operator.plan", "manifests"),
    undefined=StrictUndefined,
    finalize=as_json,
    autoescape=False,  # noqa: S701 - this is YAML, and the finalizer escapes
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_TEMPLATES.globals.clear()  # one of them is called `namespace` and would stand in for a value that is missing


def render(template: str, values: dict[str, Any]) -> Manifest:
    """Fill `manifests/<template>.yaml.j2` and give the object."""
    text = _TEMPLATES.get_template(f"{template}.yaml.j2").render(values)
    manifest = yaml.load(text, Loader=yaml.CSafeLoader)
    if not isinstance(manifest, dict):
        raise ValueError(f"manifests/{template}.yaml.j2 gives no object")
    return manifest
