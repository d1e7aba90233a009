"""What requests about the queue say, strictly read: filters of a list, orders on one message or on many.

`queue_routes` uses it. Failures: BadRequestError, whose text names the field and what it takes; never its value.
"""

from dataclasses import dataclass
from math import inf
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from mailhaul_contract.base import Frozen
from mailhaul_contract.domains import DomainError, normal_domain
from mailhaul_contract.refusals import refusals
from mailhaul_relay.http.messages import BadRequestError, Request, json_object
from mailhaul_relay.model.message import State
from mailhaul_relay.queue.commands import MAX_PAGE
from mailhaul_relay.queue.orders import FAULTS, STORED, Selection, Verb

_T = TypeVar("_T", bound=Frozen)
_MAX_AGE = 3_650 * 86_400


def _fault(text: str) -> str:
    if text and text not in FAULTS:
        raise ValueError(f"not a fault; the faults are {', '.join(sorted(FAULTS))}")
    return text


def _domain(text: str) -> str:
    """Domains are stored as A-labels, and people write U-labels; what is no domain matches nothing."""
    try:
        return text if text.isascii() else normal_domain(text)
    except DomainError as error:
        raise ValueError(f"{error}; write it like example.com") from None


def _waiting(state: State) -> State:
    if state not in STORED:
        raise ValueError("no mail of this state is in the queue; name queued, deferred, held or dead")
    return state


_Text = Annotated[str, Field(max_length=320)]
_Name = Annotated[str, Field(max_length=63)]
_Fault = Annotated[str, Field(max_length=32), AfterValidator(_fault)]
_Age = Annotated[int, Field(ge=0, le=_MAX_AGE)]


class One(Frozen):
    """An order on one message. `dry_run` only tells what would be answered."""

    dry_run: bool = False


class RetryOne(One):
    """`upstream` "" leaves it to the routes."""

    upstream: _Name = ""


class MoveOne(One):
    """`upstream` must be named."""

    upstream: Annotated[str, Field(min_length=1, max_length=63)]


class Many(Frozen):
    """An order on many messages. `states` must be named: nobody acts on everything by leaving something out. `older`
    and `newer` are ages in seconds; `dry_run` only counts.
    """

    states: Annotated[tuple[Annotated[State, AfterValidator(_waiting)], ...], Field(min_length=1, max_length=4)]
    sender: _Text = ""
    recipient: _Text = ""
    domain: Annotated[str, Field(max_length=255), AfterValidator(_domain)] = ""
    through: _Name = ""
    fault: _Fault = ""
    older: _Age = 0
    newer: _Age = 0
    upstream: _Name = ""
    after: Annotated[str, Field(max_length=64)] = ""
    dry_run: bool = False

    def selection(self, now: float) -> Selection:
        """Give the mail that is meant."""
        return Selection(
            states=frozenset(self.states),
            sender=self.sender,
            recipient=self.recipient,
            domain=self.domain,
            upstream=self.through,
            fault=self.fault,
            since=now - self.newer if self.newer else 0.0,
            until=now - self.older if self.older else inf,
        )


class _Retry(Many):
    pass


class _Move(Many):
    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if not self.upstream:
            raise ValueError("upstream is not given; name the upstream that the mail is to go through")
        return self


class _Other(Many):
    @model_validator(mode="after")
    def _goes_nowhere_else(self) -> Self:
        if self.upstream:
            raise ValueError("upstream has no meaning here; leave it out, or say `through` to select by upstream")
        return self


_KINDS: dict[Verb, type[Many]] = {Verb.RETRY: _Retry, Verb.MOVE: _Move}


@dataclass(frozen=True, slots=True)
class PageAsked:
    """A page of a list: which mail, after which id, at most how many."""

    selection: Selection
    after: str
    limit: int


def many(verb: Verb, request: Request) -> Many:
    """Read an order on many messages."""
    return order(request, _KINDS.get(verb, _Other))


def order(request: Request, kind: type[_T]) -> _T:
    """Read a request's body."""
    try:
        return kind.from_json(json_object(request))
    except ValidationError as error:
        raise BadRequestError("; ".join(map(str, refusals(error)[:5]))) from None


def page_asked(request: Request, now: float) -> PageAsked:
    """Read the query of a list; its fields are those of `Many`, `state` with commas."""
    query = dict(request.query)
    known = {"state", "sender", "recipient", "domain", "through", "fault", "older", "newer", "after", "limit"}
    if set(query) - known:
        raise BadRequestError(f"the query takes {', '.join(sorted(known))} only")
    states, limit = _states(query.pop("state", "")), _limit(query.pop("limit", "100"))
    ages = {name: _age(name, query.pop(name)) for name in ("older", "newer") if query.get(name)}
    try:
        asked = Many.from_json({**query, **ages, "states": sorted(states)})
    except ValidationError as error:
        raise BadRequestError("; ".join(map(str, refusals(error)[:5]))) from None
    return PageAsked(asked.selection(now), asked.after, limit)


def _age(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    raise BadRequestError(f"{name} takes an age in seconds")


def _states(text: str) -> frozenset[State]:
    if not text:
        return STORED
    try:
        return frozenset(_waiting(State(one)) for one in text.split(",", 8))
    except ValueError:
        raise BadRequestError("state takes queued, deferred, held and dead, separated by commas") from None


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE:
        return int(text)
    raise BadRequestError(f"limit takes a number from 1 to {MAX_PAGE}")
