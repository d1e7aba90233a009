"""What a provider may get at most holds over a reload: what the old settings have under way counts until it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.queueing import DELIVERED, Desk, mail, upstream

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Credential, Secrets

pytestmark = pytest.mark.looptime
THROTTLED = Outcome(Verdict.RETRY, Stage.MAIL, Fault.THROTTLE, Reply(421, "4.7.0", "too many connections"))


class Meter:
    """Counts the deliveries that are under way at once; each takes so many seconds."""

    def __init__(self) -> None:
        self.at_once = self.most = 0
        self.began: list[float] = []

    def taking(self, seconds: float, outcome: Outcome = DELIVERED) -> Callable[[], Awaitable[tuple[Outcome, ...]]]:
        async def answer() -> tuple[Outcome, ...]:
            self.began.append(asyncio.get_running_loop().time())
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await asyncio.sleep(seconds)
            self.at_once -= 1
            return (outcome,)

        return answer


def _only(most: int = 1, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
    return {"upstreams": [upstream("a", auth="Plain", connections={"max": most}, **fields)]}


def _secret(password: str, user: str = "u") -> Secrets:
    return Secrets(revision=password, credentials={"a": Credential(user, password)})


async def _accept(desk: Desk, *names: str) -> None:
    for name in names:
        await desk.queue.accept(mail(name))
    await asyncio.sleep(0.01)


async def _settled(desk: Desk, *names: str) -> None:
    for name in names:
        while name in desk.queue.active:  # noqa: ASYNC110 - the work is a task that nobody else sees
            await asyncio.sleep(0.01)


async def _reload_under_way(desk: Desk, meter: Meter, config: dict[str, Any], seconds: float = 10) -> None:
    """Begin `m1`, which takes so long, and reload meanwhile."""
    desk.script("a", meter.taking(seconds))
    await _accept(desk, "m1")
    assert desk.reconfigure(_secret("new"), **config)
    desk.script("a", *[meter.taking(1)] * 9)


async def test_the_only_connection_is_waited_for() -> None:
    desk, meter = Desk(**_only()), Meter()
    await _reload_under_way(desk, meter, _only())
    await _accept(desk, "m2")
    await asyncio.sleep(9)
    assert (meter.at_once, len(meter.began)) == (1, 1)
    await _settled(desk, "m1", "m2")
    assert (meter.most, len(meter.began)) == (1, 2)


async def test_the_connections_that_are_left_are_used_at_once_and_the_others_as_they_come_free() -> None:
    desk, meter = Desk(**_only(3)), Meter()
    await _reload_under_way(desk, meter, _only(3), seconds=2.5)
    names = [f"n{number}" for number in range(8)]
    await _accept(desk, *names)
    assert meter.at_once == 3
    await _settled(desk, *names)
    assert meter.most == 3
    # Two at a time until the old one ends at 2.5, three afterwards.
    began = [one - meter.began[0] for one in meter.began[1:]]
    assert began == pytest.approx([0, 0, 1, 1, 2, 2, 2.5, 3], abs=0.1)


async def test_what_two_reloads_left_under_way_counts() -> None:
    desk, meter = Desk(**_only(2)), Meter()
    await _reload_under_way(desk, meter, _only(2))
    desk.transport("a").answers[:0] = [meter.taking(10)]
    await _accept(desk, "m2")
    assert desk.reconfigure(_secret("newer"), **_only(2))
    desk.script("a", meter.taking(1))
    await _accept(desk, "m3")
    assert (meter.at_once, len(meter.began)) == (2, 2)
    await _settled(desk, "m1", "m2", "m3")
    assert meter.most == 2


async def test_an_upstream_that_was_away_for_a_moment_counts_what_it_had_under_way() -> None:
    desk, meter = Desk(**_only()), Meter()
    desk.script("a", meter.taking(10))
    await _accept(desk, "m1")
    desk.reconfigure(upstreams=[upstream("b")])
    desk.reconfigure(_secret("new"), **_only())
    desk.script("a", meter.taking(1))
    await _accept(desk, "m2")
    assert len(meter.began) == 1
    await _settled(desk, "m1", "m2")
    assert meter.most == 1


async def test_another_server_is_not_kept_waiting_for_the_one_before() -> None:
    desk, meter = Desk(**_only()), Meter()
    await _reload_under_way(desk, meter, _only(host="other.example"))
    await _accept(desk, "m2")
    assert meter.at_once == 2
    await _settled(desk, "m1", "m2")


async def test_idle_connections_of_the_old_settings_close_while_others_are_under_way() -> None:
    desk, meter = Desk(**_only()), Meter()
    before = desk.transport("a")
    await _reload_under_way(desk, meter, _only())
    await asyncio.sleep(0.01)
    assert before.closed
    assert meter.at_once == 1
    await _settled(desk, "m1")


async def test_what_the_old_settings_are_told_does_not_slow_the_new_ones_down() -> None:
    desk, meter = Desk(**_only(4)), Meter()
    desk.script("a", meter.taking(1, THROTTLED))
    await _accept(desk, "m1")
    desk.reconfigure(_secret("new"), **_only(4))
    await asyncio.sleep(2)
    desk.script("a", *[meter.taking(1)] * 4)
    await _accept(desk, "n0", "n1", "n2", "n3")
    assert meter.at_once == 4
    await _settled(desk, "n0", "n1", "n2", "n3")


async def _slowed(most: int, **fields: Any) -> Desk:  # noqa: ANN401 - as JSON
    """A desk whose provider has just asked for less: half of the connections are in use."""
    desk = Desk(**_only(most, **fields))
    desk.reconfigure(_secret("first"), **_only(most, **fields))
    desk.script("a", (THROTTLED,))
    await desk.send(mail("m1"))
    assert desk.ways.states()[0].pace == 0.5
    return desk


@pytest.mark.parametrize(
    ("secrets", "most", "fields", "left"),
    [
        (_secret("new"), 8, {}, 4),
        (_secret("first"), 8, {"connections": {"max": 8, "reply_timeout": 200}}, 4),
        (_secret("first"), 16, {}, 4),
        (_secret("first"), 5, {}, 4),
        (_secret("first"), 4, {}, 4),
        (_secret("first"), 1, {}, 1),
    ],
    ids=["another-password", "another-timeout", "more-connections", "fewer", "as-few", "one"],
)
async def test_a_provider_that_asked_for_less_gets_no_more_after_a_reload(
    secrets: Secrets, most: int, fields: dict[str, Any], left: int
) -> None:
    desk, meter = await _slowed(8), Meter()
    changed = _only(most)
    changed["upstreams"][0] |= fields
    desk.reconfigure(secrets, **changed)
    names = [f"n{number}" for number in range(9)]
    desk.script("a", *[meter.taking(1)] * 9)
    await _accept(desk, *names)
    await _settled(desk, *names)
    assert meter.most == left


async def test_a_provider_that_asked_for_less_is_given_more_step_by_step_after_a_reload_too() -> None:
    desk = await _slowed(8)
    desk.reconfigure(_secret("new"), **_only(8))
    levels = []
    for number in range(7):
        desk.clock.advance(31)
        await desk.send(mail(f"n{number}"))
        levels.append(round(desk.ways.states()[0].pace, 3))
    assert levels == [0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0]


async def test_a_slower_rate_goes_on_over_a_reload_that_allows_another_one() -> None:
    desk = await _slowed(4, rate_limit={"messages": 10, "per": 1})
    desk.reconfigure(_secret("first"), **_only(4, rate_limit={"messages": 20, "per": 1}))
    way = desk.ways.states()[0]
    assert (way.pace, way.lane.pace.level) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("secrets", "fields"),
    [(_secret("first"), {"host": "other.example"}), (_secret("first"), {"port": 2525}), (_secret("x", "other"), {})],
    ids=["host", "port", "account"],
)
async def test_another_server_or_account_has_not_asked_for_less(secrets: Secrets, fields: dict[str, Any]) -> None:
    desk = await _slowed(8)
    desk.reconfigure(secrets, **_only(8, **fields))
    assert desk.ways.states()[0].pace == 1


async def test_the_rate_counts_what_began_before_the_reload() -> None:
    limits = {"rate_limit": {"messages": 2, "per": 10}}
    desk, meter = Desk(**_only(9, **limits)), Meter()
    desk.script("a", *[meter.taking(0)] * 2)
    await _accept(desk, "m1", "m2")
    desk.reconfigure(_secret("new"), **_only(9, **limits))
    desk.script("a", meter.taking(0))
    await _accept(desk, "m3")
    await _settled(desk, "m3")
    assert meter.began[2] - meter.began[0] == pytest.approx(10, abs=0.1)


async def test_turns_that_nobody_took_before_the_reload_are_not_waited_for() -> None:
    limits = {"rate_limit": {"messages": 1, "per": 10}}
    desk, meter = Desk(**_only(9, **limits)), Meter()
    desk.script("a", meter.taking(0))
    await _accept(desk, "m1", "m2", "m3", "m4")
    desk.reconfigure(_secret("new"), **_only(9, **limits))
    desk.script("a", *[meter.taking(0)] * 3)
    await _settled(desk, "m2", "m3", "m4")
    assert [round(one - meter.began[0]) for one in meter.began] == [0, 10, 20, 30]


async def test_a_stop_waits_for_nobody_who_waits_for_what_a_reload_left_under_way() -> None:
    desk, meter = Desk(**_only()), Meter()
    await _reload_under_way(desk, meter, _only(), seconds=3600)
    await _accept(desk, "m2")
    before = asyncio.get_running_loop().time()
    await desk.queue.stop(5)
    assert asyncio.get_running_loop().time() - before < 8
    assert not desk.queue.active
