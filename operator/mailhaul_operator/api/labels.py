"""Labels and annotations that a resource gives to objects of its relay, or asks of others: their forms and bounds.

Used by the parts of SmtpRelay. Keys that the operator itself sets are refused. Failures: RuleBroken.
"""

from collections.abc import Mapping
from typing import Annotated

import re2
from pydantic import Field

from mailhaul_contract.names import GROUP
from mailhaul_operator.api.rules import Rule

_KEY = re2.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_LABELLED_BY_US = ("app.kubernetes.io/managed-by", "app.kubernetes.io/name")

LabelKey = Annotated[
    str,
    Field(
        min_length=1,
        max_length=317,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$",
    ),
]
"""The key of a label."""
LabelValue = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?$")]
"""The value of a label."""


def _is_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None


def _is_ours(key: str) -> bool:
    return key.startswith(f"{GROUP}/") or key in _LABELLED_BY_US


_FORM = Rule(
    "a key is not like example.com/name; use letters, digits, -, _ and ., at most 63, with a domain and / before it"
    " if need be",
    r"self.all(key, key.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$'))",
    lambda keys: all(map(_is_key, keys)),
)
_FOREIGN = Rule(
    f"keys that begin with {GROUP}/, and app.kubernetes.io/name and managed-by, are set by the operator; remove them",
    f"self.all(key, !key.startsWith('{GROUP}/') && !(key in ['{_LABELLED_BY_US[0]}', '{_LABELLED_BY_US[1]}']))",
    lambda keys: not any(map(_is_ours, keys)),
)

WantedLabels = Annotated[Mapping[str, LabelValue], Field(max_length=32), _FORM]
"""Labels that something else must have."""
OwnLabels = Annotated[Mapping[str, LabelValue], Field(max_length=32), _FORM, _FOREIGN]
"""Labels to add to an object of ours."""
OwnAnnotations = Annotated[Mapping[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32), _FORM, _FOREIGN]
"""Annotations to add to an object of ours."""
