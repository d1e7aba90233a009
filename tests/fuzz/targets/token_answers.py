"""A token server's answer: a token that cannot break out of its SASL response, a refusal, or nothing to build on."""

from math import isfinite

from mailhaul_relay.smtpout.token_answer import (
    MAX_LIFETIME,
    MAX_TOKEN,
    MAX_WORDS,
    Token,
    TokenRefusedError,
    read_answer,
)
from mailhaul_relay.smtpout.token_request import TokenAnswer, UnansweredError

LONGEST = 800
WORDS = (
    *(b'{"access_token":"', b'"token_type":"Bearer"', b'"expires_in":', b"3599", b'"3599"', b"1e999", b"NaN", b"-1"),
    *(b'"refresh_token":"', b'{"error":"invalid_grant","error_description":"', b"slow_down", b"\\u0001", b"\\ud800"),
    *(b"{", b"}", b",", b"[[[[", b"null", b"true"),
)
_STATUSES = (200, 200, 200, 400, 401, 403, 404, 429, 500, 503, 302, 204)


def check(data: bytes) -> None:
    """Read the octets as a body; the first of them chooses the status."""
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 200
    try:
        token = read_answer(TokenAnswer(status, data[1:]))
    except TokenRefusedError as error:
        assert status in {400, 401, 403}, "what may pass is told as a refusal"
        assert error.error
        _check_words(str(error))
        return
    except UnansweredError as error:
        _check_words(str(error), more=100)
        return
    assert status == 200
    _check_token(token)


def _check_words(words: str, more: int = 0) -> None:
    assert words.isprintable(), "words of others that are not on one line"
    assert len(words) <= 2 * MAX_WORDS + 2 + more


def _check_token(token: Token) -> None:
    for value in filter(None, (token.value, token.refresh_token)):
        assert len(value) <= MAX_TOKEN
        assert value.isascii()
        assert all("!" <= one <= "~" for one in value), "a token with a separator in it"
    assert token.value
    assert isfinite(token.lifetime)
    assert 0 < token.lifetime <= MAX_LIFETIME
    assert token.value not in repr(token) or token.value in "Token(lifetime=)0123456789.", "a token is shown"
