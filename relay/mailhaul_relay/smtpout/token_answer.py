"""What a token server's answer means (RFC 6749 sections 5.1 and 5.2): a token, a refusal, or nothing to build on.

Pure; `tokens` calls it. A refusal names the client's own mistake and is told with the server's words; whatever is not
clearly one is taken for temporary (`UnansweredError`). A token that could break out of the SASL response is none.
"""

import json
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from mailhaul_relay.smtpout.token_request import TokenAnswer, UnansweredError

USUAL_LIFETIME = 600.0
"""Seconds that a token is used when the server does not say how long it is good."""
MAX_LIFETIME = 86_400.0
MAX_TOKEN = 8_192
"""Characters of a token: with user name and base64 it fits the 12288 octets of a response (RFC 4954 section 4)."""
MAX_WORDS = 300
_TEMPORARY = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_REFUSALS = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good for `lifetime` seconds; `refresh_token` is the new one where the server changes it."""

    value: str = field(repr=False)
    lifetime: float = USUAL_LIFETIME
    refresh_token: str = field(default="", repr=False)


class TokenRefusedError(Exception):
    """The token server refuses what was given to it. `error` is the code of RFC 6749, the text has its words."""

    def __init__(self, status: int, error: str, words: str) -> None:
        super().__init__(words)
        self.status, self.error = status, error


def read_answer(answer: TokenAnswer) -> Token:
    """Give the token. Raises TokenRefusedError or UnansweredError."""
    data = _object(answer.body)
    if answer.status != 200:
        raise _refusal(answer.status, data)
    value, kind = data.get("access_token"), data.get("token_type", "bearer")
    if not isinstance(value, str) or not _is_token(value) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise UnansweredError("its answer holds no bearer token", _ENDPOINT)
    renewed = data.get("refresh_token")
    if not isinstance(renewed, str) or not _is_token(renewed):
        renewed = ""
    return Token(value, _lifetime(data.get("expires_in")), renewed)


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _refusal(status: int, data: dict[str, Any]) -> Exception:
    error, description = _words(data.get("error")), _words(data.get("error_description"))
    words = ": ".join(part for part in (error, description) if part)
    if status in _REFUSALS and error and error not in _TEMPORARY:
        return TokenRefusedError(status, error, words)
    remedy = _ENDPOINT if status in {404, 405, *range(300, 400)} else _LATER
    return UnansweredError(f"it answered {status}" + (f" {words}" if words else ""), remedy)


def _words(value: object) -> str:
    """Somebody else's text on one line, bounded and printable."""
    if not isinstance(value, str):
        return ""
    shown = "".join(one if one.isprintable() else " " for one in value[: 4 * MAX_WORDS])
    return " ".join(shown.split())[:MAX_WORDS]


def _is_token(value: str) -> bool:
    return 0 < len(value) <= MAX_TOKEN and all("!" <= one <= "~" for one in value)


def _lifetime(value: object) -> float:
    """Seconds; some servers write the number as text."""
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else USUAL_LIFETIME
    except (ValueError, OverflowError):
        return USUAL_LIFETIME
    return min(seconds, MAX_LIFETIME) if isfinite(seconds) and seconds > 0 else USUAL_LIFETIME


_ENDPOINT = "Check spec.auth.oauth.tokenUrl of the UpstreamProvider: it must be the token endpoint (RFC 6749)."
_LATER = "Nothing to do at first: the relay tries again by itself; see the status page of the token server."
