"""Encoded words and display names."""

from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.addresses import Address
from mailhaul_relay.policy.words import MAX_NAME, decode_words, encode_words, mailbox, safe_name


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?J=C3=BCrgen?=", "Jürgen"),
        ("=?UTF-8?b?SsO8cmdlbg==?=", "Jürgen"),
        ("=?utf-8*de?Q?J=C3=BCrgen?=", "Jürgen"),
        ("=?iso-8859-1?Q?a_b?= =?iso-8859-1?Q?c?= d", "a bc d"),
        ("a =?utf-8?Q?b?= c =?utf-8?Q?d?=", "a b c d"),
        ("=?utf-8?B?!?=", "=?utf-8?B?!?="),
        ("=?zlib?B?eJwDAAAAAAE=?=", "=?zlib?B?eJwDAAAAAAE=?="),
        ("=?utf-8?Q?broken", "=?utf-8?Q?broken"),
        ("=?utf-8?Q?=FF?=", "\ufffd"),
        ("=?iso-8859-99?Q?x?=", "=?iso-8859-99?Q?x?="),
    ],
)
def test_decoding(text: str, decoded: str) -> None:
    assert decode_words(text) == decoded


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=100))
def test_what_is_encoded_is_read_by_the_standard_library_and_by_us(text: str) -> None:
    encoded = encode_words(text)
    assert all(len(word) <= 75 for word in encoded.split("\r\n "))
    assert str(make_header(decode_header(encoded.replace("\r\n", "")))) == text
    assert decode_words(encoded.replace("\r\n", "")) == text


@given(st.text(max_size=300))
def test_names_are_one_bounded_line(text: str) -> None:
    name = safe_name(text)
    assert len(name) <= MAX_NAME
    assert name.isprintable()


@pytest.mark.parametrize("text", ["=?x?B?QQ==?=", "==?x?B?QQ==?=", "=" * 9 + "?x?Q?a?=", "a=?=?x?Q?a?=", "=\0?x?B?a?="])
def test_no_name_has_an_encoded_word_that_we_could_not_decode(text: str) -> None:
    assert "=?" not in safe_name(text)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", b"a@b.example"),
        ("Ann Example", b"Ann Example <a@b.example>"),
        ("Ann, Dr.", b'"Ann, Dr." <a@b.example>'),
        ('a"\\b', b'"a\\"\\\\b" <a@b.example>'),
        ("=?utf-8?Q?x?=", b'"=?utf-8?Q?x?=" <a@b.example>'),
        ("é", b"=?utf-8?B?w6k=?= <a@b.example>"),
    ],
)
def test_writing_mailboxes(name: str, written: bytes) -> None:
    assert mailbox(name, Address.parse("a@b.example")) == written
