"""Which upstreams a mail surely takes, as far as the plan can know: it tells of refusals and tells none in vain."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.routes import Route, covers, normal_domain_pattern
from mailhaul_contract.upstream import Upstream
from mailhaul_operator.api.relay_routes import RelayRoute
from mailhaul_operator.plan.routes import through, ways_of

WAYS = tuple(Upstream.from_json({"name": name, "provider": name, "host": f"{name}.example"}) for name in "abc")


def routes(*written: dict[str, Any]) -> tuple[Route, ...]:
    return tuple(Route.from_json({"name": f"r{at}", **one}) for at, one in enumerate(written))


def names(*written: dict[str, Any], sender: str = "", recipient: str = "") -> str:
    return "".join(one.name for one in ways_of(routes(*written), WAYS, sender=sender, recipient=recipient))


PAY = {"match": {"senderDomains": ["pay.example"]}, "upstreams": ["a"]}


@pytest.mark.parametrize(
    ("match", "known", "surely"),
    [
        ({}, {}, True),
        ({"senderDomains": ["pay.example"]}, {"sender": "pay.example"}, True),
        ({"senderDomains": ["*.pay.example"]}, {"sender": "a.pay.example"}, True),
        ({"senderDomains": ["*.pay.example"]}, {"sender": "pay.example"}, False),
        ({"senderDomains": ["pay.example"]}, {}, False),
        ({"recipientDomains": ["in.example"]}, {"sender": "pay.example"}, False),
        ({"recipientDomains": ["in.example"]}, {"recipient": "in.example"}, True),
        ({"senderDomains": ["pay.example"], "accounts": ["app"]}, {"sender": "pay.example"}, False),
        ({"clientNetworks": ["10.0.0.0/8"]}, {"sender": "pay.example"}, False),
        ({"header": {"name": "X-Class"}}, {"sender": "pay.example"}, False),
    ],
)
def test_a_route_surely_takes_what_fits_it_whatever_else_the_mail_is(
    match: dict[str, Any], known: dict[str, str], surely: bool
) -> None:
    assert names({"match": match, "upstreams": ["a"]}, **known) == ("a" if surely else "abc")


def test_the_first_sure_route_counts_and_without_one_all_upstreams_do() -> None:
    assert names(PAY, {"upstreams": ["b"]}, sender="pay.example") == "a"
    assert names(PAY, {"upstreams": ["b"]}, sender="other.example") == "b"
    assert names(PAY, sender="other.example") == "abc"
    assert names() == "abc"


def test_a_route_without_upstreams_of_its_own_takes_all_and_an_empty_one_none() -> None:
    every, none = routes({}, {"upstreams": []})
    assert through(every, WAYS) == WAYS
    assert through(none, WAYS) == ()


_LABELS = st.lists(st.sampled_from(["a", "b", "pay"]), min_size=1, max_size=4).map(".".join)


@given(_LABELS, _LABELS)
def test_a_pattern_covers_the_domains_below_and_nothing_that_only_ends_alike(above: str, below: str) -> None:
    assert covers(f"*.{above}", f"{below}.{above}")
    assert not covers(f"*.{above}", above)
    assert not covers(f"*.{above}", f"x{above}")
    assert covers(above, below) is (above == below)


@pytest.mark.parametrize("bad", ["", "*", "*.", "**.example", "a.*.example", "*.*.example", "*example", "ex ample"])
def test_a_star_stands_only_before_a_whole_domain(bad: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normal_domain_pattern(bad)


def test_patterns_are_kept_in_normal_form() -> None:
    match = {"senderDomains": ["*.Pay.Example", "Bücher.example"]}
    assert RelayRoute.from_json({"name": "r", "match": match}).match.sender_domains == (
        "*.pay.example",
        "xn--bcher-kva.example",
    )
