"""`POST /v1/send-test` and `GET /v1/messages/{id}`: send a mail as an application would, and follow any mail.

The token is always required: the first sends mail in the relay's name, the second shows addresses. `mailhaul send-test`
uses both. docs/http.md describes them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from mailhaul_contract.base import Frozen, Mailbox
from mailhaul_contract.refusals import refusals
from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.message_views import follow_view, lines_view
from mailhaul_relay.http.messages import BadRequestError, Request, Response, json_object, problem, to_json
from mailhaul_relay.http.routes import Route
from mailhaul_relay.model.message import Message
from mailhaul_relay.policy.trial_mail import Sent, TrialMail
from mailhaul_relay.queue.story import Story
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.transcript import Transcript

INTERVAL = 1.0
"""Seconds between two tests: a test is for a person, and is no way to send mail past the listener's limits."""


def _one_plain_line(text: str) -> str:
    if not (text.isascii() and (text.isprintable() or not text)):
        raise ValueError("not one line of printable ASCII; leave other characters out")
    return text


class _Order(Frozen):
    sender: Annotated[Mailbox | None, Field(alias="from")] = None
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=10)]
    subject: Annotated[str, Field(max_length=200), AfterValidator(_one_plain_line)] = ""


@dataclass(frozen=True, slots=True)
class Tester:
    """What a send-test needs. `not_possible` is the reason why there is no listener, "" when there is one; `send` holds
    the session and writes it down.
    """

    not_possible: Callable[[], str]
    usual_sender: Callable[[], str]
    send: Callable[[TrialMail, Transcript], Awaitable[Sent]]
    transcript: Callable[[], Transcript]


@dataclass(frozen=True, slots=True)
class Follower:
    """What is known of a message: in the queue, in the history, and in a send-test's recording."""

    queued: Callable[[str], Awaitable[Message | None]]
    story: Callable[[str], Awaitable[Story]]
    recording: Callable[[str], Transcript | None]


def message_routes(tester: Tester, follower: Follower, guard: Guard) -> tuple[Route, ...]:
    """Give both routes."""
    return (
        Route("POST", "/v1/send-test", guard.always(_SendTest(tester).handle)),
        Route("GET", "/v1/messages/{id}", guard.always(_following(follower))),
    )


class _SendTest:
    def __init__(self, tester: Tester) -> None:
        self._tester = tester
        self._next = 0.0
        self._busy = False

    async def handle(self, request: Request) -> Response:
        order = _order(request)
        reason = self._tester.not_possible()
        if reason:
            return problem(503, f"no listener is open: {reason}")
        now = asyncio.get_running_loop().time()
        if self._busy or now < self._next:
            return problem(429, "one test a second, one after the other; ask again", (("Retry-After", "1"),))
        self._busy, self._next = True, now + INTERVAL
        try:
            return await self._send(order)
        finally:
            self._busy = False

    async def _send(self, order: _Order) -> Response:
        mail = TrialMail(order.sender or self._tester.usual_sender(), order.to, order.subject)
        transcript = self._tester.transcript()
        sent = await self._tester.send(mail, transcript)
        return to_json({"id": sent.id, "accepted": sent.accepted, "transcript": lines_view(transcript.lines)})


def _order(request: Request) -> _Order:
    try:
        return _Order.from_json(json_object(request))
    except ValidationError as error:
        raise BadRequestError("; ".join(map(str, refusals(error)[:5]))) from None


def _following(follower: Follower) -> Callable[[Request], Awaitable[Response]]:
    async def handler(request: Request) -> Response:
        wanted = request.parameter
        try:
            message = await follower.queued(wanted)
            story = await follower.story(wanted)
        except SpoolError:
            return problem(503, "the queue's storage failed; /healthz says why")
        recording = follower.recording(wanted)
        if message is None and story == Story():
            return problem(
                404, "nothing is known of this message: never accepted here, or it left long ago; the log may know"
            )
        view = follow_view(wanted, message, story)
        if recording is not None:
            view["transcript"] = lines_view(recording.lines)
        return to_json(view)

    return handler
