"""Which upstreams of a relay are known to answer, by their providers' statuses: a restart puts that in no doubt.

A provider is probed by one relay for all that use it. Another one's login proves ours when both log in with the same
name and password, which the two assembled Secrets tell. Used by `relay`.
"""

import base64

from mailhaul_contract.names import (
    CREDENTIAL_PARTS,
    SECRET_REVISION,
    secret_client_certificate,
    secret_credential,
)
from mailhaul_operator.api.provider_status import LastProbe, UpstreamProviderStatus
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.provider import proves
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.resources import Seen
from mailhaul_operator.plan.naming import configuration
from mailhaul_operator.plan.snapshot import Plan
from mailhaul_operator.wire.key import Key


def proved_handles(cache: Cache, relay: SmtpRelay, plan: Plan) -> frozenset[str]:
    """Give the names of upstreams whose provider answers with the settings and the credentials of this plan."""
    proved = {
        one.metadata.name
        for one in cache.providers_of(relay)
        if (seen := cache.resource(Key("UpstreamProvider", *one.metadata.key))) and _proved(cache, seen, plan)
    }
    return frozenset(one.handle for one in relay.spec.upstreams if one.provider_ref.name in proved)


def with_status(seen: Seen) -> UpstreamProvider:
    """Give a provider that parses with its status, which the cache keeps apart."""
    assert isinstance(seen.model, UpstreamProvider)
    status = UpstreamProviderStatus.from_json(seen.status) if seen.status else None
    return seen.model.model_copy(update={"status": status})


def _proved(cache: Cache, seen: Seen, plan: Plan) -> bool:
    provider = with_status(seen)
    last = provider.status.last_probe if provider.status else None
    if last is None or not proves(provider, last.revision):
        return False
    own = plan.secret.get(SECRET_REVISION, b"").decode()
    return last.revision == own or _logs_in_alike(cache, last, provider.metadata.name, plan)


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
