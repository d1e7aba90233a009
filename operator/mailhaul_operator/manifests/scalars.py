"""What a plain YAML scalar means, as `kubectl` has it: YAML 1.1 without dates and base 60.

Used by `yaml_tree`. Failures: none; what is neither null, boolean nor number is text.
"""

import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    word: value
    for words, value in ((("true", "yes", "on"), True), (("false", "no", "off"), False))
    for low in words
    for word in (low, low.capitalize(), low.upper())
}
# Disjoint classes and bounded repetition: these cannot backtrack.
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_RADIX = re.compile(r"0x[0-9a-fA-F]{1,15}|0o?[0-7]{1,20}|0b[01]{1,63}", re.ASCII)
_FLOAT = re.compile(r"[-+]?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)

Scalar = str | int | float | bool | None


def plain(text: str) -> Scalar:
    """Give the value of an unquoted scalar."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0) if text[1] in "xob" else int(text, 8)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
