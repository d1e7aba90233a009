"""What a server offers is read as RFC 5321 has it; what is not understood is not offered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.upstream import AuthMechanism
from mailhaul_relay.model.outcome import Fault, Verdict
from mailhaul_relay.smtpout.breakdown import UnusableError
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.login import choose_mechanism


def test_a_full_offer() -> None:
    lines = [b"PIPELINING", b"SIZE 26214400", b"8bitmime", b"SMTPUTF8", b"STARTTLS", b"AUTH PLAIN login", b"HELP"]
    assert Capabilities.parse(lines) == Capabilities(
        pipelining=True,
        eight_bit=True,
        utf8=True,
        start_tls=True,
        size=26214400,
        mechanisms=frozenset({"PLAIN", "LOGIN"}),
    )


@pytest.mark.parametrize(
    ("line", "size"),
    [(b"SIZE", 0), (b"SIZE 0", 0), (b"SIZE x", 0), (b"SIZE -1", 0), ("SIZE ²".encode(), 0), (b"SIZE " + b"9" * 99, 0)],
)
def test_a_size_that_is_no_number_is_no_limit(line: bytes, size: int) -> None:
    assert Capabilities.parse([line]).size == size


def test_the_old_form_of_auth_is_read() -> None:
    assert Capabilities.parse([b"AUTH=LOGIN PLAIN", b"AUTH CRAM-MD5"]).mechanisms == {"LOGIN", "PLAIN", "CRAM-MD5"}


def test_words_that_only_begin_like_an_extension_are_none() -> None:
    assert Capabilities.parse([b"PIPELININGS", b"XSTARTTLS", b"8BITMIMEX", b"SMTPUTF", b""]) == Capabilities()


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_offer_raises(lines: list[bytes]) -> None:
    Capabilities.parse(lines)


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        (AuthMechanism.AUTO, {"PLAIN", "LOGIN"}, AuthMechanism.PLAIN),
        (AuthMechanism.AUTO, {"LOGIN"}, AuthMechanism.LOGIN),
        (AuthMechanism.LOGIN, {"PLAIN", "LOGIN"}, AuthMechanism.LOGIN),
    ],
)
def test_the_mechanism_is_the_configured_one_or_the_best_offered(
    wanted: AuthMechanism, offered: set[str], chosen: AuthMechanism
) -> None:
    assert choose_mechanism(wanted, Capabilities(mechanisms=frozenset(offered))) is chosen


def test_a_mechanism_that_is_not_offered_is_held_and_says_what_is() -> None:
    with pytest.raises(UnusableError) as raised:
        choose_mechanism(AuthMechanism.PLAIN, Capabilities(mechanisms=frozenset({"XOAUTH2"})))
    outcome = raised.value.outcome
    assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
    assert "XOAUTH2" in outcome.detail
