"""Addresses of the envelope: strict, bounded, and one form for each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.domains import DomainError, normal_domain, normal_host


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.B+tag@EXAMPLE.org", "Ann.B+tag@example.org"),
        ('"ann"@example.org', "ann@example.org"),
        ('"ann b"@example.org', '"ann b"@example.org'),
        ('"a\\"b"@example.org', '"a\\"b"@example.org'),
        ('"a@b"@example.org', '"a@b"@example.org'),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("jürgen@example.org", "jürgen@example.org"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("a@[IPv6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"),
    ],
)
def test_one_normal_form(text: str, normal: str) -> None:
    assert str(Address.parse(text)) == normal


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@@example.org",
            "a..b@example.org",
            ".a@example.org",
            "a.@example.org",
        ),
        *(
            "a b@example.org",
            "a@exa mple.org",
            "<a@example.org>",
            "a@example.org\r\n",
            "a\x00@example.org",
            '"a@example.org',
        ),
        *(
            '"a\nb"@example.org',
            '""@example.org',
            "a@-b.example",
            "a@b..example",
            "a@[999.0.0.1]",
            "a@[IPv6:fe80::1%eth0]",
        ),
        *(
            "@relay.example:a@example.org",
            "a@example.org.",
            "a(c)@example.org",
            "a@b_c.example",
            f"{'a' * 252}@b.c",
            "\ud800@b.c",
        ),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        Address.parse(text)


def test_a_local_part_longer_than_64_octets_is_taken_as_verp_and_srs_make_them() -> None:
    text = f"SRS0=AAAA=BB=a-long-domain-of-a-customer.example={'x' * 64}@own.example"
    assert str(Address.parse(text)) == text


def test_path_is_at_most_254_octets() -> None:
    longest = f"{'a' * 244}@b.example"
    assert len(str(Address.parse(longest))) == 254
    with pytest.raises(AddressError):
        Address.parse(f"a{longest}")


@pytest.mark.parametrize("character", ["\x7f", "\x85", "\x9f", "\u00a0", "\u2028", "\u2029"])
def test_control_characters_and_line_separators_are_refused_beside_utf8(character: str) -> None:
    for text in (f"jür{character}gen@example.org", f'"jür{character}gen"@example.org'):
        with pytest.raises(AddressError):
            Address.parse(text)


def test_letter_case_is_kept_but_not_compared() -> None:
    assert Address.parse("Ann@example.org").key == Address.parse("aNN@Example.ORG").key


@given(st.text(max_size=40), st.text(alphabet="abc.-[]:1ü", max_size=20))
def test_what_is_parsed_can_be_written_and_parsed_again(local: str, domain: str) -> None:
    for text in (f"{local}@{domain}", f'"{local}"@{domain}', f"{local}@b.example"):
        try:
            address = Address.parse(text)
        except AddressError:
            continue
        assert Address.parse(str(address)) == address
        assert not set(str(address)) & set("\r\n\x00")


@given(st.text(max_size=80))
def test_domains_raise_only_their_own_error(text: str) -> None:
    for parse in (normal_domain, normal_host):
        try:
            name = parse(text)
        except DomainError:
            continue
        assert parse(name) == name
        assert name.isascii()
