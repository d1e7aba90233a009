"""The alias table: patterns, precedence, expansion, and an end to every circle."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.builders import alias

from mailhaul_contract.addresses import Address
from mailhaul_contract.forwarding import Alias
from mailhaul_relay.policy.aliases import (
    MAX_DEPTH,
    MAX_DESTINATIONS,
    AliasLoopError,
    AliasPatternError,
    AliasTable,
)


def table(*entries: dict[str, Any]) -> AliasTable:
    return AliasTable.build(Alias.from_json(one) for one in entries)


def finals(built: AliasTable, address: str) -> list[str]:
    return [match.final for match in built.resolve(Address.parse(address))]


EVERY_KIND = (
    alias("sales@own.example", "exact@far.example"),
    alias("sales@own.example", "sub@far.example", type="SubAddress"),
    alias("sales+eu@own.example", "sub-eu@far.example", type="SubAddress"),
    alias("s*@own.example", "short@far.example", type="Wildcard"),
    alias("sales-*@own.example", "long@far.example", type="Wildcard"),
    alias("*-sales@own.example", "suffix@far.example", type="Wildcard"),
    alias("*@own.example", "all@far.example", type="CatchAll"),
)


@pytest.mark.parametrize(
    ("address", "final"),
    [
        ("sales@own.example", "exact@far.example"),
        ("SALES@OWN.example", "exact@far.example"),
        ("sales+news@own.example", "sub@far.example"),
        ("Sales+News+2@own.example", "sub@far.example"),
        ("sales+@own.example", "sub@far.example"),
        ("sales+eu@own.example", "sub-eu@far.example"),
        ("sales+eu+x@own.example", "sub-eu@far.example"),
        ("sales-fr@own.example", "long@far.example"),
        ("sales-@own.example", "short@far.example"),
        ("salesx@own.example", "short@far.example"),
        ("s@own.example", "all@far.example"),
        ("fr-sales@own.example", "suffix@far.example"),
        ("sales-a-sales@own.example", "long@far.example"),
        ("other@own.example", "all@far.example"),
    ],
)
def test_precedence_is_exact_sub_address_wildcard_catch_all(address: str, final: str) -> None:
    for entries in (EVERY_KIND, EVERY_KIND[::-1]):
        assert finals(table(*entries), address) == [final]


def test_sub_address_owns_its_base_too() -> None:
    assert finals(table(alias("ann@own.example", "a@far.example", type="SubAddress")), "ann@own.example") == [
        "a@far.example"
    ]


def test_other_domains_and_subdomains_are_not_ours() -> None:
    built = table(*EVERY_KIND)
    assert finals(built, "sales@sub.own.example") == finals(built, "sales@far.example") == []


def test_first_of_two_owners_of_one_pattern_has_it() -> None:
    first, second = alias("a@own.example", "x@far.example"), alias("A@own.example", "y@far.example")
    assert finals(table(first, second), "a@own.example") == ["x@far.example"]


def test_match_names_the_alias_and_the_address_that_were_asked_for() -> None:
    built = table(
        alias("all@own.example", "ann@own.example", "x@far.example", name="everybody"),
        alias("ann@own.example", "ann@far.example", "X@far.example", name="ann"),
    )
    matches = built.resolve(Address.parse("all@own.example"))
    assert [(one.alias, one.address, one.final) for one in matches] == [
        ("shop/everybody", "all@own.example", "ann@far.example"),
        ("shop/everybody", "all@own.example", "X@far.example"),
    ]


@pytest.mark.parametrize(
    "entries",
    [
        [alias("a@own.example", "a@own.example")],
        [alias("a@own.example", "b@own.example"), alias("b@own.example", "A@own.example")],
        [alias("*@own.example", "boss@own.example", type="CatchAll")],
        [
            alias(f"a{i}@own.example", f"a{i + 1}@own.example" if i < MAX_DEPTH else "x@far.example")
            for i in range(MAX_DEPTH + 1)
        ],
    ],
)
def test_circles_and_long_chains_are_refused(entries: list[dict[str, Any]]) -> None:
    built = table(*entries)
    with pytest.raises(AliasLoopError):
        built.resolve(Address.parse(entries[0]["value"].replace("*", "any")))


def test_a_chain_of_the_greatest_depth_is_followed() -> None:
    entries = [alias(f"a{i}@own.example", f"a{i + 1}@own.example") for i in range(MAX_DEPTH - 1)]
    built = table(*entries, alias(f"a{MAX_DEPTH - 1}@own.example", "x@far.example"))
    assert finals(built, "a0@own.example") == ["x@far.example"]


def test_a_web_of_aliases_is_walked_once_and_bounded() -> None:
    layers = [
        alias(f"l{layer}-{i}@own.example", *(f"l{layer + 1}-{j}@own.example" for j in range(30)))
        for layer in range(8)
        for i in range(30)
    ]
    ends = [alias(f"l8-{i}@own.example", f"{i}@far.example") for i in range(30)]
    assert len(finals(table(*layers, *ends), "l0-0@own.example")) == 30


def test_number_of_mailboxes_is_bounded() -> None:
    wide = [alias(f"w{i}@own.example", *(f"{i}-{j}@far.example" for j in range(100))) for i in range(11)]
    built = table(*wide, alias("top@own.example", *(f"w{i}@own.example" for i in range(11))))
    with pytest.raises(AliasLoopError, match=str(MAX_DESTINATIONS)):
        built.resolve(Address.parse("top@own.example"))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Exact", "no-domain"),
        ("Exact", "a b@own.example"),
        ("Wildcard", "plain@own.example"),
        ("Wildcard", "a*b*@own.example"),
        ("Wildcard", "*@own.example"),
        ("Wildcard", "a*@*.example"),
        ("Wildcard", "a b*@own.example"),
        ("CatchAll", "a*@own.example"),
        ("CatchAll", "*@-own.example"),
    ],
)
def test_value_that_does_not_fit_its_type_names_the_alias(kind: str, value: str) -> None:
    with pytest.raises(AliasPatternError, match=r"alias shop/alias"):
        table(alias(value, "x@far.example", type=kind))


LOCALS = ["a", "b", "c", "a+x"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Exact", "SubAddress", "Wildcard", "CatchAll"]),
            st.sampled_from(LOCALS),
            st.lists(st.sampled_from([*(f"{one}@own.example" for one in LOCALS), "f@far.example"]), min_size=1),
        ),
        max_size=6,
    ),
    st.sampled_from([*LOCALS, "ab", "zz"]),
)
def test_resolving_always_ends(entries: list[tuple[str, str, list[str]]], asked: str) -> None:
    values = {"Exact": "{}", "SubAddress": "{}", "Wildcard": "{}*", "CatchAll": "*"}
    built = table(
        *(alias(f"{values[kind].format(local)}@own.example", *to[:100], type=kind) for kind, local, to in entries)
    )
    try:
        found = finals(built, f"{asked}@own.example")
    except AliasLoopError:
        return
    assert not [one for one in found if built.owner(Address.parse(one))]
    assert len(found) == len(set(found))
