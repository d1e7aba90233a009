"""The exchange of AUTH: whatever is typed ends in a bounded step, and nothing of it is repeated."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.accounts import MAX_PASSWORD
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin.authentication import Challenge, Exchange, Login

_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=100)
_passwords = st.binary(max_size=MAX_PASSWORD).filter(lambda octets: b"\0" not in octets)


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


@given(_names, _passwords)
def test_what_was_typed_comes_out_of_every_way_to_say_it(name: str, password: bytes) -> None:
    response = b64(b"\0" + name.encode() + b"\0" + password)
    wanted = Login(name, password)
    assert Exchange().begin(f"PLAIN {response}") == wanted
    asked = Exchange()
    assert asked.begin("plain") == Challenge(b"")
    assert asked.answer(response.encode()) == wanted
    both = Exchange()
    assert both.begin("LOGIN") == Challenge(b"Username:")
    assert both.answer(b64(name.encode()).encode()) == Challenge(b"Password:")
    assert both.answer(b64(password).encode()) == wanted


@given(st.sampled_from(["PLAIN", "LOGIN", "PLAIN ", "LOGIN "]), st.lists(st.binary(max_size=80), max_size=4))
def test_whatever_is_said_is_a_step_and_is_not_repeated(argument: str, lines: list[bytes]) -> None:
    exchange = Exchange()
    step = exchange.begin(argument)
    for line in lines:
        if not isinstance(step, Challenge):
            break
        step = exchange.answer(line)
    assert isinstance(step, Challenge | Login | Reply)
    if isinstance(step, Challenge):
        assert step.text in {b"", b"Username:", b"Password:"}
    if isinstance(step, Login):
        assert repr(step) == "Login()"


@given(st.text(max_size=60))
def test_any_argument_is_answered(argument: str) -> None:
    assert isinstance(Exchange().begin(argument), Challenge | Login | Reply)
