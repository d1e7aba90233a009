"""The ledgers of all providers, kept over restarts in the spool's small states, off the way of the mail.

`memory` owns it, `ways` gets from it the ledger of each upstream. A ledger belongs to the provider, not to one
configuration of it: a rotated credential or another limit counts on. `keeper` stores it a second after it changed. So
after a crash it may have counted too much (what was under way), and too little by no more than what was sent in that
last second. Failures: a store that refuses is logged; the ledger in memory holds, and the next change is stored again.
"""

from collections.abc import Mapping
from typing import Any

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.keeper import Keeper
from mailhaul_relay.queue.ledger import Ledger

PREFIX = "quota/"


class Ledgers:
    """A ledger for each provider that has, or had, quotas. `ordinal` is this replica's number among its siblings."""

    def __init__(self, keeper: Keeper, ordinal: int) -> None:
        self._keeper, self._ordinal = keeper, ordinal
        self._stored: dict[str, Mapping[str, Any]] = {}
        self._ledgers: dict[str, Ledger] = {}

    def restore(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what an earlier process remembered."""
        self._stored = {key: value for key, value in stored.items() if key.startswith(PREFIX)}

    def of(self, upstream: Upstream, clock: Clock) -> Ledger | None:
        """Give the ledger of an upstream's provider with the limits of now; None when there is nothing to count."""
        if not upstream.quotas:
            return None
        ledger = self._ledgers.get(upstream.provider)
        if ledger is None:
            key = PREFIX + upstream.provider
            ledger = self._ledgers[upstream.provider] = Ledger(self._stored.pop(key, {}), self._ordinal, clock)
            give = ledger.to_json
            ledger.on_change = lambda: self._keeper.changed(key, give)
        ledger.follow(upstream)
        return ledger
