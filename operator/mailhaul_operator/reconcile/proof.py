"""Which upstreams of a relay are known to answer, or to fail, by their providers' statuses: a restart puts the first in
no doubt, and a relay that does not probe for itself learns the second from the one that does.

A provider is probed by one relay for all that use it. Another one's login proves ours when both log in with the same
name and password, which the two assembled Secrets tell. Used by `relay`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mailhaul_contract.names import (
    CREDENTIAL_PARTS,
    SECRET_REVISION,
    secret_client_certificate,
    secret_credential,
)
from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.api.provider_status import LastProbe, UpstreamProviderStatus
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.provider import proves, refutes
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.resources import Seen, status_of
from mailhaul_operator.plan.naming import configuration
from mailhaul_operator.plan.snapshot import Plan
from mailhaul_operator.wire.key import Key

STATUSES = 256
"""Statuses of providers that are kept parsed."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the providers' own probes have told of a relay's upstreams, by handle."""

    proved: frozenset[str]
    refuted: Mapping[str, Condition]

    @property
    def handles(self) -> frozenset[str]:
        """All of them."""
        return self.proved | self.refuted.keys()


def known_handles(cache: Cache, relay: SmtpRelay, plan: Plan) -> Known:
    """Give which upstreams have a provider that answers, or that fails, with the settings and credentials of a plan."""
    proved, refuted = set(), {}
    for one in relay.spec.upstreams:
        seen = cache.resource(Key("UpstreamProvider", relay.metadata.namespace, one.provider_ref.name))
        if seen is None or not isinstance(seen.model, UpstreamProvider):
            continue
        provider = with_status(seen)
        revision = _probed(cache, provider, plan)
        if revision is None:
            continue
        failure = refutes(provider, revision)
        if failure is not None:
            refuted[one.handle] = failure
        elif proves(provider, revision):
            proved.add(one.handle)
    return Known(frozenset(proved), refuted)


def with_status(seen: Seen) -> UpstreamProvider:
    """Give a provider that parses with its status, which the cache keeps apart."""
    assert isinstance(seen.model, UpstreamProvider)
    return seen.model.model_copy(update={"status": _status(seen.packed)})


@lru_cache(maxsize=STATUSES)
def _status(packed: bytes) -> UpstreamProviderStatus | None:
    """Parse a status once, and not for each relay that uses its provider."""
    found = status_of(packed)
    return UpstreamProviderStatus.from_json(found) if found else None


def _probed(cache: Cache, provider: UpstreamProvider, plan: Plan) -> str | None:
    """The revision that was probed with, when that says something of this plan too."""
    last = provider.status.last_probe if provider.status else None
    if last is None:
        return None
    own = plan.secret.get(SECRET_REVISION, b"").decode()
    alike = last.revision == own or _logs_in_alike(cache, last, provider.metadata.name, plan)
    return last.revision if alike else None


def _logs_in_alike(cache: Cache, last: LastProbe, provider: str, plan: Plan) -> bool:
    """Whether the relay that probed still has the credential that it probed with, and it is this plan's too.

    After a restart its Secret may not have been read yet; until it is, what the status says stands.
    """
    prober = cache.resource(Key("SmtpRelay", last.namespace, last.relay))
    if prober is None or (last.namespace, last.relay) == (plan.namespace, plan.name):
        return False
    body = cache.get("Secret", last.namespace, configuration(last.relay))
    if body is None:
        return True
    data = {name: base64.b64decode(text) for name, text in (body.get("data") or {}).items()}
    parts = [secret_credential(provider, part) for part in CREDENTIAL_PARTS]
    keys = (*parts, secret_client_certificate(provider))
    same = all(data.get(key) == plan.secret.get(key) for key in keys)
    return same and data.get(SECRET_REVISION, b"").decode() == last.revision
