"""An upstream that asks for less gets half, and a part back when it was quiet: never less than one connection."""

import pytest

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.tempo import FULL, QUIET, Tempo, asks_for_less, can_slow, faster, slower

NOW = 1_700_000_000.0


def _upstream(most: int, *, rate: bool = False) -> Upstream:
    limit = {"messages": 10, "per": 1} if rate else None
    fields = {"name": "a", "provider": "a", "host": "a.example", "connections": {"max": most}, "rateLimit": limit}
    return Upstream.from_json(fields)


def test_each_request_for_less_halves_down_to_one_connection() -> None:
    upstream, tempo, seen = _upstream(8), FULL, []
    for number in range(4):
        now = NOW + number
        assert can_slow(tempo, upstream, now) == (number < 3)
        tempo = slower(tempo, upstream, now, now)
        seen.append(tempo.connections(8))
    assert seen == [4, 2, 1, 1]


def test_what_began_before_the_last_halving_tells_the_same_again() -> None:
    upstream = _upstream(8)
    tempo = slower(FULL, upstream, NOW, NOW + 2)
    assert slower(tempo, upstream, NOW + 1, NOW + 3) is tempo
    assert can_slow(tempo, upstream, NOW + 1)


def test_a_rate_is_lowered_further_than_one_connection() -> None:
    upstream, tempo = _upstream(1, rate=True), FULL
    for number in range(9):
        tempo = slower(tempo, upstream, NOW + number, NOW + number)
    assert tempo.level == 1 / 16
    assert tempo.connections(1) == 1
    assert not can_slow(tempo, upstream, NOW + 10)


def test_one_connection_without_a_rate_has_nothing_to_give() -> None:
    assert not can_slow(FULL, _upstream(1), NOW)


def test_a_part_comes_back_after_each_quiet_while_until_all_is_back() -> None:
    tempo, now, seen = Tempo(0.25, NOW, NOW), NOW, []
    while not tempo.is_full:
        now += QUIET - 1
        assert faster(tempo, now) is tempo
        now += 1
        tempo = faster(tempo, now)
        seen.append(tempo.connections(4))
    assert seen == [1, 1, 2, 2, 3, 3, 3, 4]
    assert tempo.level == 1


@pytest.mark.parametrize("most", [1, 2, 3, 5, 7, 10, 1000])
def test_all_is_back_in_the_end(most: int) -> None:
    upstream = _upstream(most, rate=True)
    tempo = slower(FULL, upstream, NOW, NOW)
    for number in range(1, 12):
        tempo = faster(tempo, NOW + number * QUIET)
    assert tempo.is_full
    assert tempo.connections(most) == most


@pytest.mark.parametrize(
    ("outcome", "asks"),
    [
        (Outcome(Verdict.RETRY, Stage.MAIL, Fault.THROTTLE, Reply(451, "4.7.1", "too fast")), True),
        (Outcome(Verdict.RETRY, Stage.BANNER, Fault.THROTTLE, Reply(421, "", "too many connections")), True),
        (Outcome(Verdict.RETRY, Stage.DATA, Fault.TRANSIENT, Reply(421, "4.3.0", "closing")), True),
        (Outcome(Verdict.RETRY, Stage.RCPT, Fault.TRANSIENT, Reply(451, "4.7.1", "greylisted")), False),
        (Outcome(Verdict.RETRY, Stage.AUTH, Fault.THROTTLE, Reply(454, "4.7.0", "too many login attempts")), False),
        (Outcome(Verdict.RETRY, Stage.CONNECT, Fault.CONNECTION, detail="connection refused"), False),
    ],
    ids=["throttled", "too many connections", "421", "greylisted", "too many logins", "no answer"],
)
def test_who_asks_for_less(outcome: Outcome, asks: bool) -> None:
    assert asks_for_less(outcome) == asks
