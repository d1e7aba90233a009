"""The alias entries that a relay runs, as its ConfigMaps have them: what stands for aliases that cannot be read now.

Used by `gather` while a namespace is closed to the operator: after a restart nothing is known of its aliases, and
without them the relay would refuse their mail for good. What cannot be parsed counts as none. Pure.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from mailhaul_contract.forwarding import Alias
from mailhaul_contract.names import ALIAS_TABLE_FILES, CONFIG_FILE
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.plan import naming
from mailhaul_operator.wire.objects import Owner, controller

_ENTRIES = TypeAdapter(tuple[Alias, ...])
_FILES = 1 + len(ALIAS_TABLE_FILES)


def unseen(cache: Cache, owner: Owner, hidden: frozenset[str], known: Iterable[MailAlias]) -> tuple[Alias, ...]:
    """Give the entries of aliases in hidden namespaces, but for those that are known all the same."""
    there = {one.metadata.key for one in known}
    entries = (one for one in _in_force(cache, owner) if one.namespace in hidden) if hidden else ()
    return tuple(one for one in entries if (one.namespace, one.name) not in there)


def _in_force(cache: Cache, owner: Owner) -> Iterator[Alias]:
    names = [naming.configuration(owner.name)]
    names += [naming.alias_table(owner.name, number) for number in range(len(ALIAS_TABLE_FILES))]
    for name, file in zip(names, (CONFIG_FILE, *ALIAS_TABLE_FILES), strict=True):
        body = cache.get("ConfigMap", owner.namespace, name)
        if body is not None and controller(body).get("uid") == owner.uid:
            yield from _parsed((body.get("data") or {}).get(file, ""))


@lru_cache(maxsize=_FILES)
def _parsed(text: str) -> tuple[Alias, ...]:
    """Read a configuration or a table. Each pass asks, and a table may be large."""
    try:
        found = from_json(text)
        entries = (found.get("aliases") or {}).get("entries") or [] if isinstance(found, dict) else found
        return _ENTRIES.validate_json(to_json(entries))
    except (ValueError, ValidationError, AttributeError):
        return ()
