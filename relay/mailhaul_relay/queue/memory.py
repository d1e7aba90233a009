"""What is remembered of upstreams over a restart, in the spool's small states: breakers, refused credentials, refused
From domains, and what is used of quotas (`ledgers`).

`ways` reads it when an upstream is opened and writes it when one of them changes. They are good only for the secrets
that they were seen with: with another revision the credential may have been mended, and it is tried at once. A refused
From is good only for the same settings too, for they may have mended it. Failures: a store that refuses is logged; the
next change is stored again.
"""

import asyncio
from typing import Any

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.policy.breaker import Breaker
from mailhaul_relay.policy.credentials import Standing
from mailhaul_relay.policy.refusals import SenderRefusals
from mailhaul_relay.queue.keeper import Keeper
from mailhaul_relay.queue.ledgers import Ledgers
from mailhaul_relay.queue.way import Way
from mailhaul_relay.spool.interface import Spool, SpoolError
from mailhaul_relay.telemetry.log import Log

_PREFIX = "breaker/"
_REFUSALS = "refusals/"


class Memory:
    """What is known of providers, as an earlier process left them and as this one changes them."""

    def __init__(self, spool: Spool, log: Log, ordinal: int = 0) -> None:
        self._spool, self._log = spool, log
        self._keeper = Keeper(spool, log)
        self.ledgers = Ledgers(self._keeper, ordinal)
        self._known: dict[str, dict[str, Any]] = {}
        self._saves: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Read what an earlier process remembered. Raises SpoolError."""
        stored = await self._spool.remembered()
        self._known = {key: value for key, value in stored.items() if key.startswith((_PREFIX, _REFUSALS))}
        self.ledgers.restore(stored)

    def recall(self, upstream: Upstream, revision: str) -> tuple[Breaker, Standing]:
        """Give what an upstream starts with. What was remembered is used once, at the start."""
        stored = self._known.pop(_PREFIX + upstream.provider, {})
        if stored.get("revision") != revision or stored.get("endpoint") != _endpoint(upstream):
            return Breaker(), Standing()
        return Breaker.from_json(stored), Standing.from_json(stored.get("credential"))

    def recall_refusals(self, way: Way, revision: str, now: float) -> SenderRefusals:
        """Give the From domains that an upstream refused with these very settings. Used once, at the start."""
        stored = self._known.pop(_REFUSALS + way.upstream.provider, {})
        if (stored.get("revision"), stored.get("settings")) != (revision, way.fingerprint):
            return SenderRefusals()
        return SenderRefusals.from_json(stored, now)

    def remember_refusals(self, way: Way, revision: str) -> None:
        """Have the From domains that an upstream refuses now stored soon."""
        self._keeper.changed(
            _REFUSALS + way.upstream.provider,
            lambda: {**way.refusals.to_json(), "revision": revision, "settings": way.fingerprint},
        )

    def remember(self, way: Way, revision: str) -> None:
        """Store what is known of an upstream now; nobody waits for it."""
        value = {
            **way.current.to_json(),
            "revision": revision,
            "endpoint": _endpoint(way.upstream),
            "credential": way.logins.standing.to_json(),
        }
        task = asyncio.get_running_loop().create_task(self._save(_PREFIX + way.upstream.provider, value))
        self._saves.add(task)
        task.add_done_callback(self._saves.discard)

    async def flush(self) -> None:
        """Wait until everything is stored."""
        if self._saves:
            await asyncio.wait(self._saves)
        await self._keeper.flush()

    async def _save(self, key: str, value: dict[str, Any]) -> None:
        try:
            await self._spool.remember(key, value)
        except SpoolError as error:
            self._log.event("store-refused", level="error", what=key, reason=str(error))


def _endpoint(upstream: Upstream) -> str:
    return f"{upstream.host}:{upstream.port}"
