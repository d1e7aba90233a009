"""Whatever stands behind MAIL and RCPT, the answer is a value or a refusal, never an exception."""

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin import arguments
from mailhaul_relay.smtpin.arguments import POSTMASTER, MailArguments, parse_mail, parse_rcpt

PIECES = st.sampled_from(
    [
        "FROM:",
        "TO:",
        "<",
        ">",
        "@",
        '"',
        "\\",
        "a",
        "é",
        "example.com",
        ":",
        ",",
        " ",
        "SIZE=",
        "9",
        "BODY=8BITMIME",
        "SMTPUTF8",
        "[IPv6:",
        "::1",
        "]",
        "[192.0.2.1]",
        ".",
        "postmaster",
        "=",
        "%",
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)


@given(TEXTS, st.booleans(), st.booleans())
def test_nothing_escapes_as_an_exception(text: str, extended: bool, utf8: bool) -> None:
    for argument in (text, "FROM:<" + text, "TO:<" + text, "FROM:<a@example.com> " + text):
        mail = parse_mail(argument, extended=extended)
        recipient = parse_rcpt(argument, utf8=utf8)
        assert isinstance(mail, MailArguments) or 500 <= mail.code < 600
        assert isinstance(recipient, Address) or 500 <= recipient.code < 600


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    parse_mail("FROM:" + text, extended=True)
    parse_rcpt("TO:" + text, utf8=True)


def test_only_short_arguments_are_kept_so_that_their_memory_is_bounded() -> None:
    arguments._known_mail.cache_clear()
    arguments._known_rcpt.cache_clear()
    for number in range(2000):
        parse_mail(f"FROM:<{number:0150}@example.com>", extended=True)
        parse_rcpt(f"TO:<{number:0150}@example.com>", utf8=False)
        parse_mail(f"FROM:<{number}@example.com>", extended=True)
        parse_rcpt(f"TO:<{number}@example.com>", utf8=False)
    kept = [arguments._known_mail.cache_info(), arguments._known_rcpt.cache_info()]
    assert [one.misses for one in kept] == [2000, 2000]
    assert all(one.currsize <= 512 for one in kept)


def test_what_was_kept_of_an_argument_holds_only_for_the_same_session() -> None:
    plain = parse_mail("FROM:<app@example.com> SIZE=12", extended=False)
    extended = parse_mail("FROM:<app@example.com> SIZE=12", extended=True)
    assert isinstance(plain, Reply)
    assert extended == MailArguments(Address("app", "example.com"), 12)


def test_what_was_declared_is_understood() -> None:
    mail = parse_mail("FROM:<app@example.com> SIZE=12 BODY=8BITMIME SMTPUTF8", extended=True)
    assert mail == MailArguments(Address("app", "example.com"), 12, eight_bit=True, utf8=True)
    assert parse_mail("FROM:<>", extended=False) == MailArguments(None)


def test_a_quoted_bracket_does_not_end_the_path() -> None:
    assert parse_rcpt(r'TO:<"a\">@b"@example.net>', utf8=False) == Address('a">@b', "example.net")


def test_postmaster_needs_no_domain_but_others_do() -> None:
    assert parse_rcpt("TO:<Postmaster>", utf8=False) is POSTMASTER
    assert isinstance(parse_rcpt("TO:<joe>", utf8=False), Reply)
