"""A request to the API server that did not succeed, as a value: what kind of refusal, and the server's words.

Made by `effects.api`, the one place that catches the client's exceptions. Pure.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from mailhaul_operator.wire.kinds import Body, Kind

MAX_MESSAGE = 1024
"""Characters of a message that are kept; what an admission webhook says is not bounded by anyone else."""


class Refusal(StrEnum):
    """Why. `Unavailable`, `Conflict` and `Timeout` pass by themselves; the others need somebody to act."""

    NOT_FOUND = "NotFound"
    ALREADY_EXISTS = "AlreadyExists"
    CONFLICT = "Conflict"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    INVALID = "Invalid"
    TOO_LARGE = "TooLarge"
    UNAVAILABLE = "Unavailable"
    TIMEOUT = "Timeout"


PASSING = frozenset({Refusal.CONFLICT, Refusal.UNAUTHORIZED, Refusal.UNAVAILABLE, Refusal.TIMEOUT})
"""Refusals that are worth another try and no condition. Unauthorized: a token that is being renewed."""
_BY_STATUS = {
    400: Refusal.INVALID,
    401: Refusal.UNAUTHORIZED,
    403: Refusal.FORBIDDEN,
    404: Refusal.NOT_FOUND,
    405: Refusal.INVALID,
    408: Refusal.TIMEOUT,
    409: Refusal.CONFLICT,
    410: Refusal.CONFLICT,
    413: Refusal.TOO_LARGE,
    415: Refusal.INVALID,
    422: Refusal.INVALID,
    504: Refusal.TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal; `message` is the server's own and holds no value of a Secret."""

    kind: Refusal
    message: str

    @property
    def passing(self) -> bool:
        """Whether it may well succeed when tried again."""
        return self.kind in PASSING


class Reader(Protocol):
    """Reads objects; `effects.api.Api` is one."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | Refused:
        """Read one object."""

    async def list_all(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...] | Refused:
        """Read all objects of a kind, in one namespace or in all, that a label selector selects."""

    def pages(self, kind: Kind, namespace: str = "", selector: str = "") -> AsyncIterator[tuple[Body, ...] | Refused]:
        """Read the same page by page, for what is too much to be held at once; a refusal is the last that comes."""


def refusal_of(status: int, answer: Mapping[str, Any], *, secret: bool) -> Refused:
    """Make a value of an answer that is no success (a `Status` of the API). Of a Secret's refusal only the fields at
    fault are told: the words could repeat what is in it.
    """
    kind = _BY_STATUS.get(status, Refusal.UNAVAILABLE if status >= 429 or status < 400 else Refusal.INVALID)
    reason = str(answer.get("reason", ""))
    if reason == "AlreadyExists":
        kind = Refusal.ALREADY_EXISTS
    if secret and kind is Refusal.FORBIDDEN:
        return Refused(kind, _denial(str(answer.get("message", ""))))
    if secret and kind in {Refusal.INVALID, Refusal.UNAVAILABLE}:
        return Refused(kind, f"the API server refuses the Secret ({', '.join(_fields(answer)) or reason or status})")
    message = str(answer.get("message", "")) or f"the API server answers {status}"
    return Refused(kind, message[:MAX_MESSAGE])


def _denial(message: str) -> str:
    """Say who forbids a Secret: in the API server's own words when they are about rights or a quota, else without what
    an admission policy or a webhook says of it.
    """
    _, forbidden, why = message[:MAX_MESSAGE].partition(" is forbidden: ")
    if forbidden and why.startswith(('User "', "exceeded quota: ")):
        return message[:MAX_MESSAGE]
    who, denied, _ = message[:MAX_MESSAGE].partition(" denied ")
    return f"{who} denied the Secret; see its own log for why" if denied else "the API server forbids the Secret"


def _fields(answer: Mapping[str, Any]) -> list[str]:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [str(one.get("field", "")) for one in causes or () if isinstance(one, dict)][:8]
