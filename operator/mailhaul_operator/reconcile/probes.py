"""Gives the orders for probes: when `assess.probing` says so, to the pod that it names, and remembers when.

Called by the pass of a provider; the answer comes with that pod's next reports. Failures: a pod that cannot be asked is
asked again after a while.
"""

from binascii import crc32
from dataclasses import dataclass, field
from math import inf

from mailhaul_operator.assess.probing import due, next_look
from mailhaul_operator.assess.view import PodView, ProviderView
from mailhaul_operator.effects.pods import post_probe
from mailhaul_operator.reconcile.memory import Memory, RelayPass
from mailhaul_operator.wire.key import Key

AWAITED = 15.0
"""Seconds for which the answer to an order is looked for every second."""


_Settings = tuple[int, frozenset[str]]
"""Generation of the provider, and the revisions of the Secrets that are in use with it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    when: float
    relay: Key
    settings: _Settings


@dataclass(slots=True)
class Probes:
    """Remembers which provider's probe was asked of which relay. Forgotten orders are given again at most once."""

    memory: Memory
    _asked: dict[Key, _Asked] = field(default_factory=dict)

    async def order(self, provider: Key, view: ProviderView) -> float:
        """Order a probe if one is due; gives the seconds until the next look."""
        asked, settings = self._asked.get(provider), _settings(view)
        # An order for other settings is no reason to wait with these.
        when = asked.when if asked and asked.settings == settings else 0
        jitter = crc32(str(provider).encode()) / 2**32
        order = due(view, jitter, when)
        if order is None:
            wait = next_look(view, jitter, when)
            return inf if wait is None else max(1.0, wait)
        relay = Key("SmtpRelay", order.namespace, order.relay)
        self._asked[provider] = _Asked(view.now, relay, settings)
        last = self.memory.last(relay)
        pod = _pod(last, order.pod)
        if last is not None and pod is not None:
            await post_probe(pod, order.handle, last.token)
        return 1.0

    def awaited(self, provider: Key, view: ProviderView) -> Key | None:
        """Give the relay whose answer is awaited; None when there is nothing to wait for."""
        asked = self._asked.get(provider)
        if asked is None or view.now - asked.when > AWAITED:
            return None
        probes = (report.probe for one in view.used_by for report in one.reports if report.probe)
        answered = any(one.time >= asked.when - 1 for one in probes)
        return None if answered else asked.relay

    def forget(self, provider: Key) -> None:
        """Forget a provider that is gone."""
        self._asked.pop(provider, None)


def _settings(view: ProviderView) -> _Settings:
    return view.provider.metadata.generation, frozenset(one.revision for one in view.used_by if one.settled)


def _pod(last: RelayPass | None, name: str) -> PodView | None:
    return next((one for one in last.pods if one.name == name), None) if last else None
