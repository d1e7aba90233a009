"""What a token server's answer means: a usable token, a refusal in its words, or nothing to build on."""

import json

import pytest

from mailhaul_relay.smtpout.token_answer import (
    MAX_LIFETIME,
    MAX_TOKEN,
    USUAL_LIFETIME,
    Token,
    TokenRefusedError,
    read_answer,
)
from mailhaul_relay.smtpout.token_request import TokenAnswer, UnansweredError


def answer(status: int = 200, **fields: object) -> TokenAnswer:
    return TokenAnswer(status, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("given", "lifetime"),
    [
        (3599, 3599.0),
        ("3599", 3599.0),
        (10**9, MAX_LIFETIME),
        (None, USUAL_LIFETIME),
        (0, USUAL_LIFETIME),
        (-5, USUAL_LIFETIME),
        ("soon", USUAL_LIFETIME),
        ("inf", USUAL_LIFETIME),
        (float("nan"), USUAL_LIFETIME),
        ([1], USUAL_LIFETIME),
        (10**400, USUAL_LIFETIME),
    ],
)
def test_a_token_is_good_for_as_long_as_the_server_says_within_a_day(given: object, lifetime: float) -> None:
    assert read_answer(answer(access_token="abc", token_type="bearer", expires_in=given)) == Token("abc", lifetime)


@pytest.mark.parametrize(
    "value", ["", "two words", "line\nbreak", "a\x01auth=Bearer b", "a\x00b", "ümlaut", "a" * (MAX_TOKEN + 1), 7, None]
)
def test_what_could_break_out_of_the_response_is_no_token(value: object) -> None:
    with pytest.raises(UnansweredError):
        read_answer(answer(access_token=value))


@pytest.mark.parametrize("renewed", ["two words", 7, None, "\x01"])
def test_a_new_refresh_token_that_is_none_is_left_aside(renewed: object) -> None:
    assert read_answer(answer(access_token="abc", refresh_token=renewed)).refresh_token == ""


def test_a_refusal_is_told_in_bounded_printable_words() -> None:
    with pytest.raises(TokenRefusedError) as caught:
        read_answer(answer(400, error="invalid_grant", error_description="line\r\nbreak\x1b[31m" + "x" * 5000))
    assert (caught.value.status, caught.value.error) == (400, "invalid_grant")
    assert str(caught.value).startswith("invalid_grant: line break [31mxxx")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "said",
    [
        answer(400),
        answer(400, error=""),
        answer(400, error=["invalid_grant"]),
        answer(400, error="temporarily_unavailable"),
        answer(500, error="invalid_client"),
        answer(503, error="server_error"),
        answer(302, error="invalid_client"),
        TokenAnswer(401, b"<html>"),
        TokenAnswer(200, b"null"),
        TokenAnswer(200, b"[" * 60_000),
        TokenAnswer(200, b"\xff"),
    ],
)
def test_whatever_is_no_clear_refusal_is_temporary(said: TokenAnswer) -> None:
    with pytest.raises(UnansweredError) as caught:
        read_answer(said)
    assert caught.value.remedy


def test_a_token_is_in_no_repr() -> None:
    assert "canary" not in repr(read_answer(answer(access_token="canary", refresh_token="canary")))
