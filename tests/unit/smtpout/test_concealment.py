"""No form of a secret stays in a text, and what is too short to be one does no harm."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.smtpout.concealment import conceal, forms
from mailhaul_relay.smtpout.replies import Answer, ReplyParser

SECRETS = st.binary(min_size=4, max_size=40).filter(lambda secret: b"*" not in secret)


@given(SECRETS, st.binary(max_size=20), st.booleans())
def test_no_form_of_a_secret_stays(secret: bytes, around: bytes, padded: bool) -> None:
    encoded = base64.b64encode(secret)
    text = around + secret + around + (encoded if padded else encoded.rstrip(b"=")) + around
    found = conceal(text, forms(secret))
    assert secret not in found
    assert encoded.rstrip(b"=") not in found


def test_a_long_form_goes_whole_though_a_short_one_is_a_part_of_it() -> None:
    assert conceal(b"no abcd-efgh, abcd", forms(b"abcd", b"abcd-efgh")) == b"no ***, ***"


def test_padding_goes_with_its_base64() -> None:
    assert conceal(b"bad " + base64.b64encode(b"pass1") + b".", forms(b"pass1")) == b"bad ***."


def test_a_short_password_does_not_riddle_the_words() -> None:
    assert conceal(b"no a, no b", forms(b"a")) == b"no a, no b"


def test_an_answer_tells_none_of_its_secrets_not_even_as_an_object() -> None:
    parser = ReplyParser()
    parser.secrets = forms(b"canary")
    (answer,) = parser.feed(b"550-5.7.1 canary\r\n550 5.7.1 said\r\n")
    assert str(answer.reply()) == "550 5.7.1 *** said"
    assert str(answer.said()) == "550 5.7.1 canary said"
    assert "canary" not in repr(answer)


def test_without_secrets_an_answer_is_as_it_came() -> None:
    assert Answer(250, [b"2.0.0 ok"]).reply() == Answer(250, [b"2.0.0 ok"]).said()
