"""The quotas of a provider, and which part of them one replica of this relay may use.

Called by `upstreams`. A limit is the account's, so it is divided by all replicas of all relays that send through the
provider: nobody has to ask anybody before he sends, and all together never pass it. Nor do they when their number
changes: in a period that runs at that moment who was there all the time has one of as many parts as there ever were in
it, and who came later has none. For that the assembled Secret keeps, per provider, what the number was. Pure.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from mailhaul_contract.quotas import Quota, Share
from mailhaul_operator.api.provider_quotas import ProviderQuota
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.snapshot import Snapshot

LONGEST: Final = 32 * 86_400
"""Seconds after which no period runs any more that began before a change."""


class _Parts(NamedTuple):
    """How many replicas share: of this relay (`own`), of all (`total`). Since `changed`, the time of the last change (0
    for none), and in periods that ran then, this relay had `least` at least, and all had `most` at most.
    """

    own: int
    total: int
    changed: int
    least: int
    most: int

    @classmethod
    def read(cls, text: bytes | None) -> Self | None:
        """Read what was kept; None when there is nothing, or nothing that was written here."""
        words = (text or b"").split()
        if len(words) != len(cls._fields) or not all(one.isdigit() and len(one) <= 12 for one in words):
            return None
        return cls(*map(int, words))

    def written(self) -> bytes:
        """Write it as it is kept."""
        return " ".join(map(str, self)).encode()


def secret_share(provider: str) -> str:
    """Key of what the assembled Secret keeps of the number of replicas; only the plan reads it."""
    return f"provider.{provider}.share"


def quotas(provider: UpstreamProvider) -> tuple[Quota, ...]:
    """Give the contract's form, by period."""
    return tuple(Quota(**one.model_dump()) for one in sorted(provider.spec.quotas, key=lambda one: one.period.value))


def share(snapshot: Snapshot, provider: UpstreamProvider, secret: dict[str, bytes]) -> Share:
    """Give this relay's share of a provider's quotas; what is to be remembered of it is added to `secret`."""
    if not provider.spec.quotas:
        return Share()
    key = secret_share(provider.metadata.name)
    parts = _parts(snapshot, provider.metadata.name, _Parts.read(snapshot.existing.get(key)))
    secret[key] = parts.written()
    of = max(1, parts.total)
    if not parts.changed:
        return Share(of=of)
    return Share(of=of, changed=parts.changed, least=parts.least, most=max(of, parts.most))


def too_small(snapshot: Snapshot, provider: UpstreamProvider, share: Share) -> Iterator[Finding]:
    """Find limits of which no replica's part is a single message."""
    for index, one in enumerate(provider.spec.quotas):
        if _part(one, share) < 1:
            yield Finding(
                ObjectRef("UpstreamProvider", *provider.metadata.key),
                f"spec.quotas[{index}].limit",
                Reason.QUOTA_TOO_SMALL,
                f"of a limit of {one.limit} nothing is left for each of the {share.of} replicas that share it, so"
                f" relay {'/'.join(snapshot.relay.metadata.key)} sends nothing through this provider",
                "raise limit, lower reservePercent, or let fewer replicas send through this provider",
            )


def _part(quota: ProviderQuota, share: Share) -> int:
    return quota.limit // share.of * (100 - quota.reserve_percent) // 100


def _parts(snapshot: Snapshot, provider: str, kept: _Parts | None) -> _Parts:
    own, others = _own(snapshot), _others(snapshot, provider)
    total = own + sum(others)
    now = int(snapshot.now) + 1  # a period that begins in this second may have been used before it was looked at
    if kept is None:
        # A relay that comes to a provider of which others have used something has no part in what runs.
        late = bool(others) and provider in snapshot.live.counted
        return _Parts(own, total, now, 0, total) if late else _Parts(own, total, 0, own, total)
    if (kept.own, kept.total) == (own, total):
        return kept
    # Until no period of an earlier change runs any more, that change counts too.
    recent = kept.changed and now - kept.changed < LONGEST
    least, most = (kept.least, kept.most) if recent else (kept.own, kept.total)
    return _Parts(own, total, now, min(least, own), max(most, total))


def _own(snapshot: Snapshot) -> int:
    """This relay's replicas, with those that are to leave but still send what they hold."""
    return max(snapshot.relay.spec.replicas, *(ordinal + 1 for ordinal in snapshot.live.holding), 0)


def _others(snapshot: Snapshot, provider: str) -> list[int]:
    """The replicas of each other relay that sends through it: those in sight, and those that the gatherer counted."""
    namespace, name = snapshot.relay.metadata.key
    there = (one for one in snapshot.resources.relays if one.metadata.key != (namespace, name))
    seen = [
        one.spec.replicas
        for one in there
        if one.metadata.namespace == namespace
        and any(upstream.provider_ref.name == provider for upstream in one.spec.upstreams)
    ]
    return [*seen, *snapshot.live.others.get(provider, ())]
