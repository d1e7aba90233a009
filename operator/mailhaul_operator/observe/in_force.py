"""What a relay runs, as its ConfigMaps have it: it stands for aliases and providers that cannot be read now.

Used by `gather` while a namespace is closed to the operator, for after a restart nothing is known of its aliases; and
while a resource is not valid, for what was meant is not known. Without them the relay would refuse the mail of aliases
for good, and send none. What cannot be parsed counts as none. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from mailhaul_contract.forwarding import Alias
from mailhaul_contract.names import ALIAS_TABLE_FILES, CONFIG_FILE
from mailhaul_contract.upstream import Upstream
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.plan import naming
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.objects import Owner, controller

_ENTRIES = TypeAdapter(tuple[Alias, ...])
_UPSTREAMS = TypeAdapter(tuple[Upstream, ...])
_FILES = 1 + len(ALIAS_TABLE_FILES)


def unseen(cache: Cache, owner: Owner, hidden: frozenset[str], known: Iterable[MailAlias]) -> tuple[Alias, ...]:
    """Give the entries of aliases in hidden namespaces, but for those that are known all the same, and of aliases that
    are not valid.
    """
    invalid = {one[1:] for one in cache.unreadable if one.kind == "MailAlias"}
    if not hidden and not invalid:
        return ()
    there = {one.metadata.key for one in known}
    entries = ((one, (one.namespace, one.name)) for one in _in_force(cache, owner))
    return tuple(one for one, key in entries if key not in there and (one.namespace in hidden or key in invalid))


def invalid_providers(cache: Cache, owner: Owner, relay: SmtpRelay) -> Mapping[str, tuple[Upstream, ...]]:
    """Give the relay's providers that are there and not valid, by name, each with the upstreams in force of it."""
    keys = {Key("UpstreamProvider", owner.namespace, one.provider_ref.name) for one in relay.spec.upstreams}
    names = sorted(one.name for one in keys & cache.unreadable)
    found = _upstreams(_text(cache, owner, naming.configuration(owner.name), CONFIG_FILE)) if names else ()
    return {name: tuple(one for one in found if one.provider == name) for name in names}


def _in_force(cache: Cache, owner: Owner) -> Iterator[Alias]:
    names = [naming.configuration(owner.name)]
    names += [naming.alias_table(owner.name, number) for number in range(len(ALIAS_TABLE_FILES))]
    for name, file in zip(names, (CONFIG_FILE, *ALIAS_TABLE_FILES), strict=True):
        yield from _parsed(_text(cache, owner, name, file))


def _text(cache: Cache, owner: Owner, name: str, file: str) -> str:
    body = cache.get("ConfigMap", owner.namespace, name)
    ours = body is not None and controller(body).get("uid") == owner.uid
    text: str = ((body or {}).get("data") or {}).get(file, "") if ours else ""
    return text


def _upstreams(text: str) -> tuple[Upstream, ...]:
    try:
        return _UPSTREAMS.validate_json(to_json(from_json(text).get("upstreams") or []))
    except (ValueError, AttributeError):
        return ()


@lru_cache(maxsize=_FILES)
def _parsed(text: str) -> tuple[Alias, ...]:
    """Read a configuration or a table. Each pass asks, and a table may be large."""
    try:
        found = from_json(text)
        entries = (found.get("aliases") or {}).get("entries") or [] if isinstance(found, dict) else found
        return _ENTRIES.validate_json(to_json(entries))
    except (ValueError, AttributeError):
        return ()
