"""Replicas that share a provider's quota never pass it together, whatever becomes of their number."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.quotas import Quota, QuotaPeriod, Share
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.late_parts import Late, read, written
from mailhaul_operator.plan.quotas import secret_share, shared
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
    """The Secrets that were assembled for relays, what each replica may use now, and what it has sent each day."""

    secrets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    parts: dict[str, tuple[Quota, Share]] = field(default_factory=dict)
    sent: dict[tuple[int, str, int], int] = field(default_factory=dict)

    def plan(self, relays: dict[str, int], now: float, **live: Any) -> dict[str, Share]:  # noqa: ANN401 - of Live
        """Plan each relay; what was counted before is known, as it is from the provider's status."""
        provider = _provider()
        # The Secret of a relay that is deleted goes with it.
        self.secrets = {name: secret for name, secret in self.secrets.items() if name in relays}
        there = tuple(_relay(name, replicas) for name, replicas in relays.items())
        counted = frozenset({"main"}) if self.sent else frozenset()
        self.parts = {}
        for relay in there:
            name = relay.metadata.name
            resources = Resources(relays=there, providers=(provider,))
            runs = Live(
                counted=counted, **({"settled": live.get("settled", {}).get(name, {})} if "settled" in live else live)
            )
            world = Snapshot(relay, resources, Fresh("", ""), self.secrets.get(name, {}), live=runs, now=now)
            secret: dict[str, bytes] = {}
            quotas, share = shared(world, provider, secret)
            self.parts[name] = (quotas[0], share)
            self.secrets[name] = secret
        return {name: share for name, (_, share) in self.parts.items()}

    def part(self, name: str, ordinal: int, now: float) -> int:
        """What a replica may use today."""
        return allotted(*self.parts[name], ordinal, _today(now))

    def send_all(self, relays: dict[str, int], now: float) -> None:
        """Let every replica send all that it may today."""
        for name, replicas in relays.items():
            for ordinal in range(replicas):
                key = (int(now // DAY), name, ordinal)
                self.sent[key] = max(self.sent.get(key, 0), self.part(name, ordinal, now))

    def settled(self, now: float) -> dict[str, dict[str, dict[str, tuple[float, int]]]]:
        """What the old replicas of each relay have used, or may, as their reports say once all run the last plan."""
        found = {}
        for name, (_, share) in self.parts.items():
            old = range(share.least)
            used = [max(self.sent.get((int(now // DAY), name, one), 0), self.part(name, one, now)) for one in old]
            found[name] = {"main": {"Day": (_today(now).end, sum(used))}}
        return found

    def most_of_a_day(self) -> int:
        """What all sent together on the busiest day."""
        days = {day for day, _, _ in self.sent}
        return max(sum(units for key, units in self.sent.items() if key[0] == day) for day in days) if days else 0


def _today(now: float) -> Window:
    today = now // DAY
    return Window(today * DAY, (today + 1) * DAY)


STEPS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2 * DAY),
        st.integers(min_value=0, max_value=6),
        st.integers(min_value=-1, max_value=3),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(STEPS)
def test_the_limit_holds_however_often_replicas_come_and_go(steps: list[tuple[int, int, int, bool]]) -> None:
    world, now = World(), float(START)
    for later, first, second, settles in steps:
        now += later
        relays = {"first": first} | ({"second": second} if second >= 0 else {})
        world.plan(relays, now)
        world.send_all(relays, now)
        if settles:
            world.plan(relays, now + 1, settled=world.settled(now))
            world.send_all(relays, now + 1)
    assert world.most_of_a_day() <= LIMIT


def test_who_comes_later_has_what_the_others_leave_once_they_keep_to_their_part() -> None:
    world = World()
    world.plan({"first": 1}, START)
    world.sent[START // DAY, "first", 0] = 40
    world.plan({"first": 3}, START + 100)
    assert [world.part("first", one, START + 101) for one in range(3)] == [20, 0, 0]
    world.plan({"first": 3}, START + 160, settled=world.settled(START + 160))
    assert [world.part("first", one, START + 161) for one in range(3)] == [20, 10, 10]
    given = dict(world.secrets["first"])
    world.sent[START // DAY, "first", 1] = 10
    world.plan({"first": 3}, START + 220, settled=world.settled(START + 220))
    assert world.secrets["first"] == given, "it is given once"
    assert [world.part("first", one, START + DAY) for one in range(3)] == [20, 20, 20]


def test_who_comes_still_later_has_nothing_of_that_period() -> None:
    world = World()
    world.plan({"first": 1}, START)
    world.plan({"first": 2}, START + 100)
    world.plan({"first": 2}, START + 160, settled=world.settled(START + 160))
    assert [world.part("first", one, START + 161) for one in range(2)] == [30, 30]
    world.plan({"first": 4}, START + 200)
    world.plan({"first": 4}, START + 260, settled=world.settled(START + 260))
    assert [world.part("first", one, START + 261) for one in range(4)] == [15, 0, 0, 0]


def test_replicas_that_do_not_change_have_all_of_it() -> None:
    world = World()
    for day in range(3):
        now = START + day * DAY
        assert world.plan({"first": 3}, now) == {"first": Share(of=3)}
        world.send_all({"first": 3}, now)
    assert world.most_of_a_day() == LIMIT


def test_a_day_after_the_change_everybody_has_a_part() -> None:
    world = World()
    world.plan({"first": 1}, START)
    changed = world.plan({"first": 3}, START + 100)["first"]
    assert changed == Share(of=3, changed=START + 101, least=1, most=3)
    world.send_all({"first": 3}, START + DAY)
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
    for text in (b"", b"1 2 3", b"a b c d e f", b"1 1 -1 1 1 0", b"9" * 20 + b" 1 1 1 1 0", "١ ١ ١ ١ ١ ١".encode()):
        world = World(secrets={"first": {secret_share("main"): text}})
        assert world.plan({"first": 2}, START)["first"] == Share(of=2)


@pytest.mark.parametrize(
    "text",
    [b"", b"7", b"100 Day", b"100 Day:1", b"100 Day:x:1", b"100 Week:1:2", b"101 Day:1:2", b"\xff", b"100 Day:1:2:3"],
)
def test_what_somebody_else_wrote_of_late_parts_is_nothing(text: bytes) -> None:
    assert not read(text, 100)


def test_late_parts_are_read_as_they_were_written() -> None:
    late = {QuotaPeriod.DAY: Late(7, START), QuotaPeriod.MONTH: Late(0, START + DAY)}
    assert read(written(100, late), 100) == late
    assert read(written(100, {}), 100) == {}


def test_quotas_are_planned_in_an_order_of_their_own() -> None:
    found, _ = shared(Snapshot(_relay("first", 3), Resources(), Fresh("", "")), _provider(), {})
    assert [one.period for one in found] == [QuotaPeriod.DAY, QuotaPeriod.MONTH]


def test_a_provider_without_quotas_is_shared_with_nobody() -> None:
    provider = _provider()
    bare = provider.model_copy(update={"spec": provider.spec.model_copy(update={"quotas": ()})})
    secret: dict[str, bytes] = {}
    world = Snapshot(_relay("first", 3), Resources(), Fresh("", ""))
    assert (shared(world, bare, secret), secret) == (((), Share()), {})
