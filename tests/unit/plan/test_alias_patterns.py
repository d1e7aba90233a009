"""The plan and the relay agree on which alias takes an address; circles are found whatever their shape."""

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.addresses import Address
from mailhaul_contract.forwarding import Alias, AliasType
from mailhaul_operator.plan.aliases import MAX_CHAIN
from mailhaul_operator.plan.circles import circles, too_long
from mailhaul_operator.plan.patterns import Pattern, Resolver
from mailhaul_relay.policy.aliases import AliasLoopError, AliasTable

WORDS = st.text("ab+", min_size=1, max_size=4)
PLAIN = st.text("abAB", min_size=1, max_size=3)
ENDS = st.tuples(st.text("ab+", max_size=3), st.text("ab+", max_size=2)).filter(any)
DOMAINS = st.sampled_from(["x.example", "y.example"])
PATTERNS = st.one_of(
    st.tuples(st.just(AliasType.EXACT), WORDS, DOMAINS),
    st.tuples(st.just(AliasType.SUB_ADDRESS), PLAIN, DOMAINS),
    st.tuples(st.just(AliasType.WILDCARD), ENDS.map("*".join), DOMAINS),
    st.tuples(st.just(AliasType.CATCH_ALL), st.just("*"), DOMAINS),
).map(lambda parts: (parts[0], f"{parts[1]}@{parts[2]}"))


@given(patterns=st.lists(PATTERNS, max_size=8), local=WORDS, domain=DOMAINS)
def test_the_plan_finds_the_alias_that_the_relay_finds(
    patterns: list[tuple[AliasType, str]], local: str, domain: str
) -> None:
    entries = {Pattern.of(kind, value): (kind, value, f"a{index}") for index, (kind, value) in enumerate(patterns)}
    table = AliasTable.build(
        Alias(namespace="n", name=name, type=kind, value=value, destinations=("to@else.example",))
        for kind, value, name in entries.values()
    )
    resolver = Resolver((pattern, name) for pattern, (_, _, name) in entries.items())
    address = Address(local, domain)
    owner = table.owner(address)
    assert resolver.find(address) == (owner.name if owner else None)


@given(local=st.text("ab+", min_size=1, max_size=5), rest=st.text("ab+", min_size=1, max_size=3), base=PLAIN)
def test_what_shadows_a_pattern_takes_every_address_of_it(local: str, rest: str, base: str) -> None:
    shadowed = Pattern.of(AliasType.WILDCARD, f"{base}+{local}*@x.example")
    shadower = shadowed.shadower
    assert shadower is not None
    address = Address(f"{base}+{local}{rest}", "x.example")
    assert Resolver([(shadowed, "shadowed")]).find(address) == "shadowed"
    assert Resolver([(shadowed, "shadowed"), (shadower, "shadower")]).find(address) == "shadower"
    assert shadower.precedence < shadowed.precedence


def test_a_wildcard_that_is_only_partly_covered_has_no_shadower() -> None:
    assert Pattern.of(AliasType.WILDCARD, "tea*@x.example").shadower is None
    assert Pattern.of(AliasType.WILDCARD, "*+a@x.example").shadower is None
    assert Pattern.of(AliasType.CATCH_ALL, "*@x.example").shadower is None


def test_a_chain_is_no_circle() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": []}) == ()


def test_every_circle_is_found_with_its_members() -> None:
    graph = {"a": ["b"], "b": ["c", "x"], "c": ["a"], "x": ["y"], "y": ["x"], "self": ["self"], "into": ["a"]}
    assert circles(graph) == (("a", "b", "c"), ("self",), ("x", "y"))


def test_a_long_circle_does_not_exhaust_the_stack() -> None:
    size = 20_000
    graph = {str(n): [str((n + 1) % size)] for n in range(size)}
    assert len(circles(graph)[0]) == size


def test_the_chains_that_are_told_are_those_that_the_relay_refuses() -> None:
    count = MAX_CHAIN + 2
    leads = {f"a{n}": f"a{n + 1}@x.example" for n in range(count)}
    table = AliasTable.build(
        Alias(namespace="n", name=name, value=f"{name}@x.example", destinations=(to,)) for name, to in leads.items()
    )
    refused = set()
    for name in leads:
        try:
            table.resolve(Address(name, "x.example"))
        except AliasLoopError:
            refused.add(name)
    graph = {name: [to.partition("@")[0]] if to.partition("@")[0] in leads else [] for name, to in leads.items()}
    assert too_long(graph, MAX_CHAIN) == refused == {"a0", "a1"}
