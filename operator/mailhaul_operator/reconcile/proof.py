"""Which upstreams of a relay are known to answer, by their providers' statuses: a restart puts that in no doubt."""

from mailhaul_contract.names import SECRET_REVISION
from mailhaul_operator.api.provider_status import UpstreamProviderStatus
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.provider import proves
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.resources import Seen
from mailhaul_operator.plan.snapshot import Plan
from mailhaul_operator.wire.key import Key


def proved_handles(cache: Cache, relay: SmtpRelay, plan: Plan) -> frozenset[str]:
    """Give the names of upstreams whose provider answers with the settings and the credentials of this plan."""
    revision = plan.secret.get(SECRET_REVISION, b"").decode()
    proved = {
        one.metadata.name
        for one in cache.providers_of(relay)
        if (seen := cache.resource(Key("UpstreamProvider", *one.metadata.key))) and proves(with_status(seen), revision)
    }
    return frozenset(one.handle for one in relay.spec.upstreams if one.provider_ref.name in proved)


def with_status(seen: Seen) -> UpstreamProvider:
    """Give a provider that parses with its status, which the cache keeps apart."""
    assert isinstance(seen.model, UpstreamProvider)
    status = UpstreamProviderStatus.from_json(seen.status) if seen.status else None
    return seen.model.model_copy(update={"status": status})
