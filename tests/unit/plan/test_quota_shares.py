"""Replicas that share a provider's quota never pass it together, whatever becomes of their number."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.quotas import Quota, QuotaPeriod, Share
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.quotas import quotas, secret_share, share
from mailhaul_operator.plan.snapshot import Fresh, Live, Snapshot
from mailhaul_relay.policy.quota import Window, allotted

DAY, LIMIT = 86_400, 60
START = 20_000 * DAY


def _provider() -> UpstreamProvider:
    limits = [{"period": "Month", "limit": 7}, {"period": "Day", "limit": LIMIT}]
    spec = {"type": "smtp", "host": "h.example", "auth": {"mechanism": "None"}, "quotas": limits}
    metadata = {"name": "main", "namespace": "smtp"}
    return UpstreamProvider.from_json(
        {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "UpstreamProvider", "metadata": metadata, "spec": spec}
    )


def _relay(name: str, replicas: int) -> SmtpRelay:
    spec = {"replicas": replicas, "upstreams": [{"providerRef": {"name": "main"}}]}
    metadata = {"name": name, "namespace": "smtp"}
    return SmtpRelay.from_json(
        {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "SmtpRelay", "metadata": metadata, "spec": spec}
    )


@dataclass
class World:
    """Relays by name with their replicas, the Secrets that were assembled for them, and what each replica has sent."""

    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    sent: dict[tuple[int, str, int], int] = field(default_factory=dict)

    def plan(self, relays: dict[str, int], now: float, **live: Any) -> dict[str, Share]:  # noqa: ANN401 - of Live
        """Plan each relay; what was counted before is known, as it is from the provider's status."""
        provider = _provider()
        # The Secret of a relay that is deleted goes with it.
        self.secrets = {name: secret for name, secret in self.secrets.items() if name in relays}
        there = tuple(_relay(name, replicas) for name, replicas in relays.items())
        counted = frozenset({"main"}) if self.sent else frozenset()
        found = {}
        for relay in there:
            existing = self.secrets.get(relay.metadata.name, {})
            resources = Resources(relays=there, providers=(provider,))
            world = Snapshot(relay, resources, Fresh("", ""), existing, live=Live(counted=counted, **live), now=now)
            secret: dict[str, bytes] = {}
            found[relay.metadata.name] = share(world, provider, secret)
            self.secrets[relay.metadata.name] = secret
        return found

    def send_all(self, relays: dict[str, int], shares: dict[str, Share], now: float) -> None:
        """Let every replica send all that it may today."""
        quota = Quota(period=QuotaPeriod.DAY, limit=LIMIT)
        today = int(now // DAY)
        window = Window(today * DAY, (today + 1) * DAY)
        for name, replicas in relays.items():
            for ordinal in range(replicas):
                key = (today, name, ordinal)
                most = allotted(quota, shares[name], ordinal, window)
                self.sent[key] = max(self.sent.get(key, 0), most)

    def most_of_a_day(self) -> int:
        """What all sent together on the busiest day."""
        days = {day for day, _, _ in self.sent}
        return max(sum(units for key, units in self.sent.items() if key[0] == day) for day in days) if days else 0


STEPS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2 * DAY),
        st.integers(min_value=0, max_value=6),
        st.integers(min_value=-1, max_value=3),
    ),
    min_size=1,
    max_size=12,
)


@given(STEPS)
def test_the_limit_holds_however_often_replicas_come_and_go(steps: list[tuple[int, int, int]]) -> None:
    world, now = World(), float(START)
    for later, first, second in steps:
        now += later
        relays = {"first": first} | ({"second": second} if second >= 0 else {})
        world.send_all(relays, world.plan(relays, now), now)
    assert world.most_of_a_day() <= LIMIT


def test_replicas_that_do_not_change_have_all_of_it() -> None:
    world = World()
    for day in range(3):
        now = START + day * DAY
        shares = world.plan({"first": 3}, now)
        assert shares == {"first": Share(of=3)}
        world.send_all({"first": 3}, shares, now)
    assert world.most_of_a_day() == LIMIT


def test_a_day_after_the_change_everybody_has_a_part() -> None:
    world = World()
    world.plan({"first": 1}, START)
    changed = world.plan({"first": 3}, START + 100)["first"]
    assert changed == Share(of=3, changed=START + 101, least=1, most=3)
    world.send_all({"first": 3}, {"first": changed}, START + DAY)
    assert world.most_of_a_day() == LIMIT


def test_nothing_changes_while_nothing_changes() -> None:
    world = World()
    world.plan({"first": 1}, START)
    world.plan({"first": 2}, START + 100)
    before = dict(world.secrets)
    world.plan({"first": 2}, START + 200)
    assert world.secrets == before


def test_a_replica_that_leaves_keeps_its_part_while_it_holds_mail() -> None:
    world = World()
    world.plan({"first": 3}, START)
    assert world.plan({"first": 2}, START + 100, holding=frozenset({2}))["first"] == Share(of=3)
    assert world.plan({"first": 2}, START + 200)["first"] == Share(of=2, changed=START + 201, least=2, most=3)


def test_relays_that_nobody_sees_are_counted_too() -> None:
    assert World().plan({"first": 2}, START, others={"main": (1, 2)})["first"] == Share(of=5)


def test_what_somebody_else_wrote_into_the_secret_is_nothing() -> None:
    for text in (b"", b"1 2 3", b"a b c d e", b"1 1 -1 1 1", b"9" * 20 + b" 1 1 1 1", "١ ١ ١ ١ ١".encode()):
        world = World(secrets={"first": {secret_share("main"): text}})
        assert world.plan({"first": 2}, START)["first"] == Share(of=2)


def test_quotas_are_planned_in_an_order_of_their_own() -> None:
    assert [one.period for one in quotas(_provider())] == [QuotaPeriod.DAY, QuotaPeriod.MONTH]


def test_a_provider_without_quotas_is_shared_with_nobody() -> None:
    provider = _provider()
    bare = provider.model_copy(update={"spec": provider.spec.model_copy(update={"quotas": ()})})
    secret: dict[str, bytes] = {}
    world = Snapshot(_relay("first", 3), Resources(), Fresh("", ""))
    assert (share(world, bare, secret), secret) == (Share(), {})
