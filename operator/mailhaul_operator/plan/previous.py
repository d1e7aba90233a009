"""The credential before the current one, kept until the current one is proved: a wrong new password stops no mail.

Called by `relay_config`. The relay goes on with it when the current one is refused. It is dropped on proof of the
current one, after a day, with its provider or reference, and when the provider's host changes: no server is shown the
password of another. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from mailhaul_contract.names import (
    secret_password,
    secret_previous_password,
    secret_previous_since,
    secret_previous_username,
    secret_username,
)
from mailhaul_operator.plan.snapshot import Snapshot

KEPT: Final = 86_400
"""Seconds for which a credential is kept beside one that nobody has proved."""


class _Pair(NamedTuple):
    username: bytes
    password: bytes


def previous(snapshot: Snapshot, providers: Iterable[str], content: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the keys of the assembled Secret for all credentials that are kept beside those of `content`.

    What was kept and still is keeps its time, so that an equal world gives equal bytes.
    """
    keys: dict[str, bytes] = {}
    for provider in providers:
        keys |= _of(snapshot, provider, content)
    return keys


def secret_host(provider: str) -> str:
    """Key of the host that a provider's credential is for; only the plan reads it."""
    return f"provider.{provider}.host"


def is_previous(key: str) -> bool:
    """Whether this is the key of a credential that is kept (a provider's name has no dot)."""
    return key.startswith("provider.") and key.split(".")[2:3] == ["previous"]


def _of(snapshot: Snapshot, provider: str, content: Mapping[str, bytes]) -> dict[str, bytes]:
    current = _pair(content, secret_username(provider), secret_password(provider))
    used = _pair(snapshot.existing, secret_username(provider), secret_password(provider))
    if current is None or used is None or not _same_host(snapshot, provider, content):
        return {}
    kept = _kept(snapshot, provider)
    if used == current:
        since = snapshot.existing.get(secret_previous_since(provider), b"")
        return _keys(provider, kept, since) if kept and kept != current else {}
    # One that was changed again before anybody proved it is no better than the one before it.
    before = kept or used
    return _keys(provider, before, str(int(snapshot.now)).encode()) if before != current else {}


def _same_host(snapshot: Snapshot, provider: str, content: Mapping[str, bytes]) -> bool:
    key = secret_host(provider)
    return snapshot.existing.get(key) == content.get(key)


def _kept(snapshot: Snapshot, provider: str) -> _Pair | None:
    """The credential that is kept now, if it still may be."""
    existing = snapshot.existing
    since = existing.get(secret_previous_since(provider), b"")
    if provider in snapshot.live.proved or not since.isdigit() or len(since) > 12:
        return None
    # A clock that was set back must not keep it for ever.
    if abs(snapshot.now - int(since)) >= KEPT:
        return None
    return _pair(existing, secret_previous_username(provider), secret_previous_password(provider))


def _pair(secret: Mapping[str, bytes], username: str, password: str) -> _Pair | None:
    return _Pair(secret[username], secret[password]) if username in secret and password in secret else None


def _keys(provider: str, pair: _Pair, since: bytes) -> dict[str, bytes]:
    return {
        secret_previous_username(provider): pair.username,
        secret_previous_password(provider): pair.password,
        secret_previous_since(provider): since,
    }
