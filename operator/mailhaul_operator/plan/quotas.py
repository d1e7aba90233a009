"""The quotas of a provider, and which part of them one replica of this relay may use.

Called by `upstreams`. A limit is the account's, so it is divided by all replicas of all relays that send through the
provider: nobody has to ask anybody before he sends, and all together never pass it. Nor do they when their number
changes: in a period that runs at that moment who was there all the time has one of as many parts as there ever were in
it, and who came later has what those leave of it (`late_parts`), or nothing. For that the assembled Secret keeps, per
provider, what the number was. Pure.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from mailhaul_contract.quotas import Quota, QuotaPeriod, Share
from mailhaul_operator.api.provider_quotas import ProviderQuota
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan import late_parts
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.late_parts import Late
from mailhaul_operator.plan.snapshot import Snapshot

LONGEST: Final = 32 * 86_400
"""Seconds after which no period runs any more that began before a change."""


class _Parts(NamedTuple):
    """How many replicas share: of this relay (`own`), of all (`total`). Since `changed`, the time of the last change (0
    for none), and in periods that ran then, this relay had `least` at least, and all had `most` at most. `grown` is 1
    when all that happened in them is that this relay, which shares with no other, became larger once.
    """

    own: int
    total: int
    changed: int
    least: int
    most: int
    grown: int = 0

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


def secret_late(provider: str) -> str:
    """Key of what it keeps of that which new replicas were given."""
    return f"provider.{provider}.late"


def shared(snapshot: Snapshot, provider: UpstreamProvider, secret: dict[str, bytes]) -> tuple[tuple[Quota, ...], Share]:
    """Give the contract's form of a provider's quotas, by period, and this relay's share of them; what is to be
    remembered is added to `secret`.
    """
    ordered = sorted(provider.spec.quotas, key=lambda one: one.period.value)
    found = tuple(Quota(**one.model_dump()) for one in ordered)
    if not found:
        return (), Share()
    name = provider.metadata.name
    parts = _parts(snapshot, name, _Parts.read(snapshot.existing.get(secret_share(name))))
    secret[secret_share(name)] = parts.written()
    of = max(1, parts.total)
    if not parts.changed:
        return found, Share(of=of)
    late = _late(snapshot, name, found, parts)
    if late:
        secret[secret_late(name)] = late_parts.written(parts.changed, late)
    share = Share(of=of, changed=parts.changed, least=parts.least, most=max(of, parts.most))
    return tuple(_with_late(one, late.get(one.period), share) for one in found), share


def _late(snapshot: Snapshot, name: str, found: tuple[Quota, ...], parts: _Parts) -> dict[QuotaPeriod, Late]:
    """What new replicas were given, or are given now, when the old ones have settled."""
    if not parts.grown:
        return {}
    kept = late_parts.read(snapshot.existing.get(secret_late(name)), parts.changed)
    return (
        late_parts.divided(found, snapshot.live.settled.get(name, {}), parts.own - parts.least)
        if kept is None
        else kept
    )


def _with_late(quota: Quota, late: Late | None, share: Share) -> Quota:
    # It was never more than an equal part; a limit that was lowered since makes it less.
    units = min(late.units, quota.limit // share.most) if late else 0
    return quota.model_copy(update={"late": units, "late_until": late.until}) if late and units else quota


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
    grown = not recent and own > kept.own and (own, kept.own) == (total, kept.total) and not others
    return _Parts(own, total, now, min(least, own), max(most, total), int(grown))


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
