"""Whether a live object is what it should be: every desired field has the desired value. Pure.

Called by `apply` to skip what would change nothing. Fields that are only in the live object are defaults of the API
server or somebody else's and do not count, but for `EXACT` and `DATA`. What we wanted before and want no more shows in
the annotation `mailhaul.dev/spec`, a desired field as any other. Lists that the API merges are compared by their keys,
others element by element; quantities by their value. A second pass over every kind of object writes nothing
(tests/e2e/test_effects_apply.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mailhaul_operator.effects.quantities import quantity

MERGED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "ownerReferences": (("uid",),),
    "containers": (("name",),),
    "initContainers": (("name",),),
    "env": (("name",),),
    "volumes": (("name",),),
    "volumeMounts": (("mountPath",),),
    "imagePullSecrets": (("name",),),
    "hostAliases": (("ip",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
}
"""Lists that server-side apply merges, with their keys: others may have items of their own in them."""
WHOLE: Final = ("spec.ingress", "spec.egress")
"""Below these paths (NetworkPolicy) no list is merged."""
EXACT: Final = frozenset({"selector", "matchLabels", "nodeSelector", "namespaceSelector", "podSelector"})
"""Maps that are taken or left as a whole: one label more, and a Service leads nowhere."""
DATA: Final = frozenset({"ConfigMap", "Secret"})
"""Kinds whose `data` is all ours: what others put there is taken out."""
DEFAULTS: Final = {"protocol": "TCP"}
"""Values of keys that the API server fills in."""
QUANTITIES: Final = frozenset({"limits", "requests", "sizeLimit", "capacity"})
"""Members below which texts are quantities, which the API server writes its own way (`1024Mi` becomes `1Gi`)."""


def differs(desired: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether an apply of the desired object would change the live one."""
    return difference(desired, live) != ""


def difference(desired: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """Give the path of the first field that is not as desired, such as `spec.replicas`; "" when there is none.

    The version does not count: an ExternalSecret may be watched in another than that in which it is applied.
    """
    wanted = {name: value for name, value in desired.items() if name != "apiVersion"}
    return next(_fields(wanted, live, ""), "") or ("data" if strangers(desired, live) else "")


def strangers(desired: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the keys in the `data` of a live ConfigMap or Secret that are not ours. An apply leaves them there."""
    if str(desired.get("kind")) not in DATA:
        return ()
    return tuple(sorted(set(live.get("data") or ()) - set(desired.get("data") or ())))


def _any(desired: Any, live: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(desired, Mapping):
        yield from _fields(desired, live, path)
    elif isinstance(desired, Sequence) and not isinstance(desired, str):
        yield from _items(desired, live, path)
    elif not _same(desired, live, path):
        yield path


def _fields(desired: Mapping[str, Any], live: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    if live is None and _is_nothing(desired):
        return
    if not isinstance(live, Mapping):
        yield path
        return
    if path.rpartition(".")[2] in EXACT and set(live) != set(desired):
        yield path
    for name, value in desired.items():
        yield from _any(value, live.get(name), f"{path}.{name}" if path else name)


def _items(desired: Sequence[Any], live: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    present = live if isinstance(live, Sequence) and not isinstance(live, str) else ()
    keys = _keys(desired, path)
    if keys:
        known = {_key(one, keys): one for one in present if isinstance(one, Mapping)}
        for one in desired:
            yield from _item(one, known.get(_key(one, keys)), f"{path}[{_key(one, keys)[0]}]")
    elif len(desired) != len(present):
        yield path
    else:
        for index, (one, other) in enumerate(zip(desired, present, strict=True)):
            yield from _any(one, other, f"{path}[{index}]")


def _item(desired: Mapping[str, Any], live: Mapping[str, Any] | None, path: str) -> Iterator[str]:
    """Compare an item with the one of its key; an absent one differs, even if nothing is wanted of it."""
    if live is None:
        yield path
    else:
        yield from _fields(desired, live, path)


def _keys(desired: Sequence[Any], path: str) -> tuple[str, ...]:
    """Give the key of a list that the API merges; none of another, which is compared whole."""
    if path.startswith(WHOLE) or not all(isinstance(one, Mapping) for one in desired):
        return ()
    for keys in MERGED.get(path.rpartition(".")[2], ()):
        if all(key in one or key in DEFAULTS for one in desired for key in keys):
            return keys
    return ()


def _key(item: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(item.get(key, DEFAULTS.get(key, ""))) for key in keys)


def _same(desired: object, live: object, path: str) -> bool:
    if desired is None:
        return True
    if type(desired) is type(live) and desired == live:
        return True
    if desired in ("", False, 0) and live is None:
        return True
    if not any(part in QUANTITIES for part in path.split(".")):
        return False
    wanted, there = quantity(desired), quantity(live)
    return wanted is not None and wanted == there


def _is_nothing(desired: Mapping[str, Any]) -> bool:
    """Whether an object says nothing, so that the API server may have left it out."""
    return all(value is None or (isinstance(value, Mapping) and _is_nothing(value)) for value in desired.values())
