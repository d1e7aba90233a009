"""The API server's patterns refuse nothing that the models accept; what only the models can know is left to them."""

import re2
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.forwarding import AliasType
from mailhaul_operator.api.alias_forms import FORM_RULES
from mailhaul_operator.api.mailalias import AliasAddress
from mailhaul_operator.api.rules import Rule, accepted_by
from mailhaul_operator.api.text import DOMAIN_PATTERN, DOMAIN_RULE, HOST_RULE, MAILBOX_PATTERN, MAILBOX_RULE

_LABELS = st.from_regex(r"[A-Za-z0-9äöüß中文_-]{1,20}|[a-z-]{62,65}", fullmatch=True)
_DOMAINS = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)
_LOCALS = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-\"\\ @<>,;:()[]äß中\t\r\n\x00\x7f", max_size=20)
_QUOTED = _LOCALS.map(lambda text: f'"{text}"')
_MAILBOXES = st.builds(lambda local, domain: f"{local}@{domain}", _LOCALS | _QUOTED, _DOMAINS | st.just("[192.0.2.1]"))


def _served(pattern: str, text: str, longest: int) -> bool:
    """What the API server says: the type's maxLength and the CEL rule's pattern."""
    return len(text) <= longest and re2.fullmatch(pattern, text) is not None


@given(_DOMAINS)
def test_a_domain_that_the_models_accept_passes_the_api_server(domain: str) -> None:
    assert _served(DOMAIN_PATTERN, domain, 253) or not DOMAIN_RULE.check(domain)


@given(_DOMAINS.filter(str.isascii))
def test_for_ascii_domains_both_sides_say_the_same(domain: str) -> None:
    assert _served(DOMAIN_PATTERN, domain, 253) == DOMAIN_RULE.check(domain)


@given(_MAILBOXES)
def test_a_mailbox_that_the_models_accept_passes_the_api_server(mailbox: str) -> None:
    assert _served(MAILBOX_PATTERN, mailbox, 254) or not MAILBOX_RULE.check(mailbox)


@given(_MAILBOXES.filter(str.isascii))
def test_for_ascii_mailboxes_both_sides_say_the_same(mailbox: str) -> None:
    assert _served(MAILBOX_PATTERN, mailbox, 254) == MAILBOX_RULE.check(mailbox)


def test_a_host_is_a_name_or_an_address_without_zone() -> None:
    good = ["smtp.example.com", "localhost", "127.0.0.1", "::1", "2001:db8::25"]
    bad = ["smtp.example.com:587", "smtp://a", "[::1]", "fe80::1%eth0", "", "a b", "a/b", "::g"]
    assert [HOST_RULE.check(one) for one in good + bad] == [True] * len(good) + [False] * len(bad)


def test_empty_text_means_not_set_only_where_that_is_said() -> None:
    assert not DOMAIN_RULE.check("")
    assert DOMAIN_RULE.or_empty().check("")
    assert DOMAIN_RULE.or_empty().cel.startswith("self == '' || ")


def test_each_alias_type_accepts_its_own_form_and_no_other() -> None:
    forms = {
        AliasType.EXACT: {"sales@example.com", "user+tag@example.com", '"a b"@example.com'},
        AliasType.SUB_ADDRESS: {"sales@example.com"},
        AliasType.WILDCARD: {"shop-*@example.com", "*-shop@example.com", "a*b@example.com"},
        AliasType.CATCH_ALL: {"*@example.com"},
    }
    values = {value for own in forms.values() for value in own} | {"a*b*@example.com", "*@*.com", '"*"@a.example', "@a"}
    for kind, own in forms.items():
        accepted = {value for value in values if _accepts(FORM_RULES, kind, value)}
        assert accepted == own, kind


def _accepts(rules: tuple[Rule, ...], kind: AliasType, value: str) -> bool:
    address = AliasAddress.model_construct(type=kind, value=value)
    return all(rule.check(address) for rule in rules)


def test_alias_values_have_a_normal_form() -> None:
    forms = [(AliasType.EXACT, "Sales@EXAMPLE.com"), (AliasType.WILDCARD, "a-*@Bücher.example")]
    forms.append((AliasType.CATCH_ALL, "*@EXAMPLE.com"))
    normal = [AliasAddress(type=kind, value=value).normal for kind, value in forms]
    assert normal == ["Sales@example.com", "a-*@xn--bcher-kva.example", "*@example.com"]


def test_a_check_made_of_a_parser_catches_its_refusals_only() -> None:
    check = accepted_by(int)
    assert check("1")
    assert not check("x")
