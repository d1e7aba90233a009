"""The ways out: for each upstream its lane, its breaker, its quotas, its tempo and the From domains that it refuses.

`delivery` asks for views before it routes and hands transmissions in; `app` applies each new configuration. An
unchanged upstream keeps its connections and its breaker over a reload, also when a previous credential comes or goes;
a changed one, or a changed credential or client certificate, starts afresh, so that a mended Secret is tried at once;
but what it has under way counts until it ends, so that its server never gets more at once, or faster, than it may, nor
than it has asked for of the same account.
Breakers are remembered in the spool: a restart is no reason to try a refused password again. So are refused Froms, but
only to be told: they are tried again at once, for no provider minds. An upstream that asks for
less gets less, and a pause only when it asks again at one connection. Failures: a store that cannot remember is logged;
the breaker in memory holds all the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from mailhaul_contract.report import CredentialState
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.policy.breaker import after, after_session, no_later
from mailhaul_relay.policy.credentials import Standing, credentials_of, identity_of
from mailhaul_relay.policy.routing import UpstreamView
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.tempo import asks_for_less
from mailhaul_relay.ports.chance import Chance
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.active import MAX_MESSAGES, MAX_OCTETS
from mailhaul_relay.queue.crowd import Share
from mailhaul_relay.queue.ledger import answered
from mailhaul_relay.queue.memory import Memory
from mailhaul_relay.queue.way import Way
from mailhaul_relay.smtpout.access import Access
from mailhaul_relay.smtpout.interface import TransportFactory
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.tokens import Tokens
from mailhaul_relay.telemetry.log import Log

CLOSE_TIME = 2.0
"""Seconds that the connections of a dropped upstream get to say goodbye."""


class Ways:
    """Every upstream of the running configuration, by name."""

    def __init__(self, memory: Memory, factory: TransportFactory, log: Log, clock: Clock, chance: Chance) -> None:
        self._memory, self._factory, self._log = memory, factory, log
        self._clock, self._chance = clock, chance
        self._ways: dict[str, Way] = {}
        self._revision = ""
        self._calm: dict[str, UpstreamView] = {}
        self._share = Share(MAX_MESSAGES, MAX_OCTETS)
        self._common = self._share.common
        self._retiring: dict[asyncio.Task[None], Way] = {}
        self.on_reopen: Callable[[str], None] = lambda _: None
        """Called with the name of an upstream that took no mail and takes it again."""
        self.on_error: Callable[[str, Exception], None] = lambda _, __: None
        """Called with the id of a message and an error of ours after its transmission."""

    def apply(self, running: Running) -> bool:
        """Follow a configuration; True when an upstream is new or changed, and so mail that waits may move."""
        before, now_open, opened, others = dict(self._ways), {}, [], False
        for upstream in running.candidates:
            current, previous = credentials_of(running, upstream)
            known = before.get(upstream.name)
            identity = identity_of(running, upstream)
            if known and known.serves(upstream, current, identity, running.config.hostname):
                now_open[upstream.name] = before.pop(upstream.name)
                known.logins.replace_previous(previous)
                others |= known.adopt(upstream, self._memory.ledgers.of(upstream, self._clock))
            else:
                access = Access(identity, Tokens(upstream.oauth, self._clock) if upstream.oauth else None)
                logins = Logins(current, previous, self._clock, access)
                now_open[upstream.name] = self._open(upstream, logins, running)
                opened.append(now_open[upstream.name])
        is_start = not self._ways
        self._ways, self._revision = now_open, running.secrets.revision
        self._calm = dict.fromkeys(now_open, UpstreamView())
        self._share = Share(MAX_MESSAGES // max(1, len(now_open)), MAX_OCTETS // max(1, len(now_open)))
        self._common = self._share.common
        for way in now_open.values():
            way.lane.keep_free_beyond(self._common)
        for way in before.values():
            self._retire(way)
        for way in () if is_start else opened:
            # What was remembered of the one before must not be held against it at the next start.
            self._memory.remember(way, self._revision)
            self._memory.remember_refusals(way, self._revision)
        return bool(opened) or others

    def states(self) -> Sequence[Way]:
        """Every upstream as the report shows it."""
        return tuple(self._ways.values())

    def views(self, tried: frozenset[str]) -> dict[str, UpstreamView]:
        """What routing needs to know of every upstream; `tried` were tried in this round."""
        if not tried and self._is_calm():
            return self._calm
        now = self._clock()
        if len(self._ways) == 1:
            return {name: way.view(now, tried=name in tried) for name, way in self._ways.items()}
        return {
            name: way.view(
                now,
                tried=name in tried,
                busy_until=self._busy_until(way, now),
                crowding=way.lane.crowding(self._share),
            )
            for name, way in self._ways.items()
        }

    def _is_calm(self) -> bool:
        """Whether nothing is known against any upstream, as is usual: then nothing need be looked at."""
        return all(way.is_calm and not way.lane.wait(self._common) for way in self._ways.values())

    def _busy_until(self, way: Way, now: float) -> float:
        """When mail for a crowded upstream comes back, spread by chance; 0 while it has room. One that is the only one
        crowds out nobody."""
        wait = way.lane.wait(self._common)
        return now + wait * (0.5 + self._chance()) if wait else 0.0

    async def deliver(self, name: str, transmission: Transmission) -> Delivery | None:
        """Send through one upstream; None when it was not begun, or cut off before the final dot."""
        way = self._ways.get(name)
        if way is None:
            return None
        if way.ledger is None:
            return await self._carry(way, transmission)
        reservation = way.ledger.reserve(transmission)
        if reservation is None:
            return None
        delivery = None
        try:
            delivery = await self._carry(way, reservation.part())
        finally:
            reservation.settle(delivery)
        return reservation.with_rest(delivery) if delivery else None

    async def _carry(self, way: Way, transmission: Transmission) -> Delivery | None:
        trial = _Trial(way, self._clock)
        try:
            delivery = await way.lane.deliver(transmission, trial.begin)
        finally:
            trial.end()
        if delivery is not None:
            said = delivery if transmission.further is None else answered(delivery)
            try:
                self._observe(way, transmission, said, trial.began)
            except Exception as error:  # noqa: BLE001 - what was delivered must not be sent again for it
                self.on_error(transmission.id, error)
        return delivery

    def room(self, name: str) -> int:
        """Tell how many more messages for an upstream that takes mail may come into work; one when it is on trial."""
        way = self._ways.get(name)
        if way is not None and way.current.is_open:
            return 1
        return MAX_MESSAGES if way is None or len(self._ways) == 1 else way.lane.room(self._common)

    def room_for_few(self, name: str) -> tuple[int, frozenset[str]]:
        """Tell how many more messages may come for a crowded upstream of those who have few there, and who has not."""
        way, stored = self._ways.get(name), self._share.stored
        crowding = way.lane.crowding(stored) if way else None
        return (way.lane.room(stored), crowding) if way and crowding is not None else (0, frozenset())

    @property
    def is_calm(self) -> bool:
        """Whether every upstream takes mail and has room, as is usual."""
        return self._is_calm()

    def way(self, name: str) -> Way | None:
        """Give one upstream as it stands."""
        return self._ways.get(name)

    def probed(self, way: Way, refusal: Outcome | None) -> None:
        """A probe came as far as mail does, or its credential was refused, which is the trial of a breaker that waits
        for one. It never opens a breaker.
        """
        before = way.current
        if refusal is None:
            way.current = after_session(before)
        elif before.fault is Fault.AUTH:
            way.current = after(before, refusal, self._clock(), self._chance())
        if way.current != before:
            self._moved(way, before.is_open)

    async def stop(self, grace: float) -> None:
        """Begin nothing more; what is under way gets `grace` seconds, then it is cut off."""
        # What a changed or dropped upstream still has under way ends with the others: it may hang as well.
        ways = (*self._ways.values(), *self._retiring.values())
        for way in ways:
            way.lane.stop()
        await _within(grace, *(way.lane.idle() for way in ways))
        for way in ways:
            way.lane.abort()
        await _within(CLOSE_TIME, *(way.lane.transport.close() for way in self._ways.values()), *self._retiring)
        await self._memory.flush()

    def _open(self, upstream: Upstream, logins: Logins, running: Running) -> Way:
        transport = self._factory(upstream, logins, running.config.hostname)
        way = Way(upstream, logins, running.config.hostname, transport, self._clock, self._before(upstream))
        way.ledger = self._memory.ledgers.of(upstream, self._clock)
        way.current, standing = self._memory.recall(upstream, running.secrets.revision)
        logins.restore(standing)
        way.refusals = self._memory.recall_refusals(way, running.secrets.revision, self._clock())
        logins.on_change = lambda before, after: self._login_told(way, before, after)
        return way

    def _before(self, upstream: Upstream) -> Way | None:
        """The last way to the same server, which may still have something under way."""
        known = (*self._retiring.values(), *self._ways.values())
        return next((one for one in reversed(known) if one.leads_to(upstream)), None)

    def _retire(self, way: Way) -> None:
        way.lane.stop()
        task = asyncio.get_running_loop().create_task(_close(way))
        self._retiring[task] = way
        task.add_done_callback(self._retiring.pop)

    def _observe(self, way: Way, transmission: Transmission, delivery: Delivery, began: float) -> None:
        now = self._clock()
        if any(one.verdict is Verdict.DELIVERED for one in delivery.outcomes):
            way.last_accepted = now
        if way.is_calm and all(one.verdict is Verdict.DELIVERED for one in delivery.outcomes):
            return
        telling = _telling(delivery.outcomes)
        before, refused = way.current, way.refusals
        if not self._paced(way, telling, began, now):
            way.current = after(before, telling, now, self._chance())
        if telling.fault is Fault.QUOTA and way.ledger:
            way.current = no_later(way.current, way.ledger.told(telling), self._chance())
        is_verified = way.hear(transmission, delivery.outcomes, now)
        if way.current != before:
            self._moved(way, before.is_open)
        if way.refusals is not refused and self._ways.get(way.name) is way:
            self._memory.remember_refusals(way, self._revision)
        if is_verified:
            # The provider verified the domain: what was held for it need not wait for its next trial.
            self.on_reopen(way.name)

    def _paced(self, way: Way, telling: Outcome, began: float, now: float) -> bool:
        """Whether going slower is the whole answer to an outcome, so that the breaker need not open."""
        before = way.tempo
        if telling.verdict is Verdict.DELIVERED:
            if not way.speed_up(now):
                return False
            event, level, reply = "pace-raised", "info", None
        elif asks_for_less(telling):
            if way.current.is_open or not way.slow_down(began, now):
                return False
            event, level, reply = "pace-lowered", "warning", telling.text
        else:
            return False
        if way.tempo is not before:
            connections = way.tempo.connections(way.upstream.connections.max)
            self._log.event(
                event, level=level, upstream=way.name, pace=round(way.pace, 3), connections=connections, reply=reply
            )
        return telling.fault is Fault.THROTTLE

    def _moved(self, way: Way, was_open: bool) -> None:
        if self._ways.get(way.name) is way:
            self._memory.remember(way, self._revision)
        breaker = way.current
        if breaker.is_open == was_open:
            return
        event = "breaker-opened" if breaker.is_open else "breaker-closed"
        level = "warning" if breaker.is_open else "info"
        fault = breaker.fault.value if breaker.is_open else None
        self._log.event(event, level=level, upstream=way.name, fault=fault, reply=breaker.text or None)
        if was_open:
            self.on_reopen(way.name)

    def _login_told(self, way: Way, before: Standing, standing: Standing) -> None:
        """Remember what a login showed of a credential, and log it; the reply has no secret in it (`smtpout.login`)."""
        if self._ways.get(way.name) is way and before.to_json() != standing.to_json():
            self._memory.remember(way, self._revision)
        if before.state is standing.state:
            return
        level = "info" if standing.state is CredentialState.PROVED else "warning"
        said = standing.refusal
        self._log.event(
            f"credential-{standing.state.value.lower()}",
            level=level,
            upstream=way.name,
            reply=said.text if said else None,
            remedy=said.remedy if said else None,
        )


class _Trial:
    """One transmission's right to try an upstream whose breaker is open: one at a time has it."""

    def __init__(self, way: Way, clock: Clock) -> None:
        self._way, self._clock = way, clock
        self._mine = False
        self.began = 0.0
        """When the transmission began, epoch seconds."""

    def begin(self) -> bool:
        """Whether the transmission may begin now; it is the trial then, when the breaker is open."""
        now = self.began = self._clock()
        if not self._way.permits(now):
            return False
        if self._way.current.is_open:
            self._mine = self._way.on_trial = True
        return True

    def end(self) -> None:
        """Let the next one try."""
        if self._mine:
            self._way.on_trial = False


def _telling(outcomes: tuple[Outcome, ...]) -> Outcome:
    """The outcome that says most about the upstream: that it takes no more or less, though it took something before;
    that it takes mail, else its own fault, else the first.
    """
    for fault in (Fault.QUOTA, Fault.THROTTLE):
        for one in outcomes:
            if one.fault is fault:
                return one
    for one in outcomes:
        if one.verdict is Verdict.DELIVERED:
            return one
    return next((one for one in outcomes if one.fault.is_of_upstream), outcomes[0])


async def _close(way: Way) -> None:
    # Its idle connections count at the provider; those that are under way close themselves as they end.
    await way.lane.transport.close()
    await way.lane.idle()


async def _within(seconds: float, *work: Awaitable[None]) -> None:
    """Wait for all, but no longer than so many seconds; what is not done by then is cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
