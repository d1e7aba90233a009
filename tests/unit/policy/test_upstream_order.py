"""The order of upstreams: priority first, then by weight, the same for a message wherever and whenever it is asked."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.builders import upstream

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.policy.upstream_order import UpstreamOrder
from mailhaul_relay.ports.chance import message_id

MESSAGES = 4000


def ways(*weights: tuple[str, int, int]) -> list[Upstream]:
    """Upstreams by name, priority and weight."""
    return [Upstream.from_json(upstream(name, priority=priority, weight=weight)) for name, priority, weight in weights]


def names(order: UpstreamOrder, message: str) -> list[str]:
    return [one.name for one in order.of(message)]


def firsts(order: UpstreamOrder) -> dict[str, int]:
    """How many of many messages, whose ids are as those of a relay, try each upstream first."""
    counts: dict[str, int] = {}
    for at in range(MESSAGES):
        first = order.of(message_id(1_700_000_000 + at / 1000))[0].name
        counts[first] = counts.get(first, 0) + 1
    return counts


_LISTS = st.lists(
    st.tuples(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.integers(0, 3), st.integers(0, 1000)),
    max_size=8,
    unique_by=lambda one: one[0],
)


@given(_LISTS.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))), st.from_regex(r"[0-9a-z]{16}"))
def test_a_message_finds_the_same_order_however_the_upstreams_were_written(
    written: tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]], message: str
) -> None:
    once, again = (UpstreamOrder.build(ways(*one)) for one in written)
    assert names(once, message) == names(again, message)


def test_the_order_is_the_same_in_every_process_and_version() -> None:
    """Written down: another hash would send what waits after an upgrade along other ways."""
    order = UpstreamOrder.build(ways(("a", 0, 1), ("b", 0, 1), ("c", 0, 1)))
    assert [names(order, one) for one in ("id1", "id2", "id3", "id4")] == [
        ["c", "b", "a"],
        ["b", "c", "a"],
        ["a", "b", "c"],
        ["b", "c", "a"],
    ]


@given(_LISTS, st.from_regex(r"[0-9a-z]{16}", fullmatch=True))
def test_each_upstream_stands_in_it_once_and_a_lower_priority_never_before_a_higher(
    written: list[tuple[str, int, int]], message: str
) -> None:
    found = UpstreamOrder.build(ways(*written)).of(message)
    assert sorted(one.name for one in found) == sorted(name for name, _, _ in written)
    assert [one.priority for one in found] == sorted(priority for _, priority, _ in written)


@given(_LISTS, st.from_regex(r"[0-9a-z]{16}", fullmatch=True))
def test_an_upstream_that_goes_moves_no_message_between_the_others(
    written: list[tuple[str, int, int]], message: str
) -> None:
    whole = names(UpstreamOrder.build(ways(*written)), message)
    for gone in whole:
        rest = UpstreamOrder.build(ways(*(one for one in written if one[0] != gone)))
        assert names(rest, message) == [one for one in whole if one != gone]


def test_mail_is_shared_in_proportion_to_the_weights() -> None:
    counts = firsts(UpstreamOrder.build(ways(("a", 0, 1), ("b", 0, 3), ("c", 0, 6), ("later", 10, 1000))))
    assert set(counts) == {"a", "b", "c"}
    for name, share in (("a", 0.1), ("b", 0.3), ("c", 0.6)):
        # Four standard deviations of a binomial: a sound hash fails this once in 16 000 choices of constants.
        assert abs(counts[name] - MESSAGES * share) < 4 * (MESSAGES * share * (1 - share)) ** 0.5


def test_equal_weights_share_equally_and_what_fails_over_is_shared_too() -> None:
    order = UpstreamOrder.build(ways(("a", 0, 7), ("b", 0, 7), ("c", 0, 7)))
    counts = firsts(order)
    assert all(abs(one - MESSAGES / 3) < 120 for one in counts.values())
    seconds = [names(order, f"m{at}")[1] for at in range(MESSAGES) if names(order, f"m{at}")[0] == "a"]
    assert abs(seconds.count("b") - len(seconds) / 2) < 90


def test_weight_0_comes_only_after_the_others_of_its_priority() -> None:
    order = UpstreamOrder.build(ways(("drained", 0, 0), ("one", 0, 1), ("two", 0, 1000), ("later", 1, 1)))
    for at in range(200):
        assert names(order, f"m{at}")[2:] == ["drained", "later"]


def test_upstreams_of_different_priorities_cost_no_choice() -> None:
    order = UpstreamOrder.build(ways(("a", 1, 5), ("b", 0, 1)))
    assert order.tiers is None
    assert order.of("any") is order.upstreams
