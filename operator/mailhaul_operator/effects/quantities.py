"""Quantities of Kubernetes by their value: the API server writes `1024Mi` as `1Gi` and `0.5` as `500m`. Pure."""

from decimal import Decimal, InvalidOperation

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    **{unit: Decimal(10) ** (3 * power) for power, unit in enumerate("MGTPE", 2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}
_LONGEST = 32


def quantity(value: object) -> Decimal | None:
    """Give the value of a quantity (`500m`, `1Gi`, `2e3`, `1`); None when it is none."""
    text = str(value)
    if isinstance(value, bool) or len(text) > _LONGEST or not text.isascii():
        return None
    suffix = next((one for one in (text[-2:], text[-1:]) if one in _SUFFIXES), "")
    number = text[: len(text) - len(suffix)]
    if not number or set(number) - set("+-.eE0123456789"):
        return None
    try:
        return Decimal(number) * _SUFFIXES[suffix]
    except InvalidOperation:
        return None
