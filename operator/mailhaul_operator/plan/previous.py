"""The credential before the current one, kept until the current one is proved: a wrong new password stops no mail.

Called by `relay_config`. The relay goes on with it when the current one is refused. It is dropped on proof of the
current one, after a day, with its provider or reference, and when the provider's host or token server changes: no
server is shown the password of another. Pure.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from mailhaul_contract.names import (
    CREDENTIAL_PARTS,
    secret_credential,
    secret_previous_credential,
    secret_previous_since,
)
from mailhaul_operator.plan.snapshot import Snapshot

KEPT: Final = 86_400
"""Seconds for which a credential is kept beside one that nobody has proved."""


_Credential = Mapping[str, bytes]
"""Values by part, as `CREDENTIAL_PARTS` names them; empty for none."""
_Key = Callable[[str, str], str]


def previous(snapshot: Snapshot, providers: Iterable[str], content: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the keys of the assembled Secret for all credentials that are kept beside those of `content`.

    What was kept and still is keeps its time, so that an equal world gives equal bytes.
    """
    keys: dict[str, bytes] = {}
    for provider in providers:
        keys |= _of(snapshot, provider, content)
    return keys


def secret_host(provider: str) -> str:
    """Key of the host that a provider's credential is for, with the token server if there is one; only the plan reads
    it.
    """
    return f"provider.{provider}.host"


def is_previous(key: str) -> bool:
    """Whether this is the key of a credential that is kept (a provider's name has no dot)."""
    return key.startswith("provider.") and key.split(".")[2:3] == ["previous"]


def _of(snapshot: Snapshot, provider: str, content: Mapping[str, bytes]) -> dict[str, bytes]:
    current = _credential(content, provider, secret_credential)
    used = _credential(snapshot.existing, provider, secret_credential)
    if not current or not used or not _same_host(snapshot, provider, content):
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


def _kept(snapshot: Snapshot, provider: str) -> _Credential:
    """The credential that is kept now, if it still may be."""
    existing = snapshot.existing
    since = existing.get(secret_previous_since(provider), b"")
    if provider in snapshot.live.proved or not since.isdigit() or len(since) > 12:
        return {}
    # A clock that was set back must not keep it for ever.
    if abs(snapshot.now - int(since)) >= KEPT:
        return {}
    return _credential(existing, provider, secret_previous_credential)


def _credential(secret: Mapping[str, bytes], provider: str, key: _Key) -> _Credential:
    found = {part: secret[key(provider, part)] for part in CREDENTIAL_PARTS if key(provider, part) in secret}
    return found if "username" in found and len(found) > 1 else {}


def _keys(provider: str, kept: _Credential, since: bytes) -> dict[str, bytes]:
    named = {secret_previous_credential(provider, part): value for part, value in kept.items()}
    return {**named, secret_previous_since(provider): since}
