"""A probe of one upstream: every stage up to MAIL FROM and RSET on a connection of its own, and never a mail.

`queue.prober` decides when, with which credential, and what follows from it. It uses the stages of `connection` and
the words of `classify`, so that a probe and a mail are told the same. Failures are findings; only cancellation escapes.
"""

import asyncio
from dataclasses import dataclass

from mailhaul_contract.report import ProbeStage
from mailhaul_contract.upstream import AuthMechanism, Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.smtpout.access import PLAIN_ACCESS, Access
from mailhaul_relay.smtpout.breakdown import UnusableError, classify_exception
from mailhaul_relay.smtpout.classify import Context, judge
from mailhaul_relay.smtpout.connection import Dialer, Opening
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.smtpout.wire import Wire

LIMIT = 18.5
"""Seconds for all stages; with the QUIT after them a probe takes 20 s at most."""
_STAGES = {
    Stage.CONNECT: ProbeStage.CONNECT,
    Stage.TLS: ProbeStage.TLS,
    Stage.BANNER: ProbeStage.EHLO,
    Stage.EHLO: ProbeStage.EHLO,
    Stage.AUTH: ProbeStage.AUTH,
    Stage.MAIL: ProbeStage.SENDER,
}


@dataclass(frozen=True, slots=True)
class Login:
    """What the probe may log in with. `barred` is the refusal because of which AUTH must not be tried now."""

    credential: Credential | None
    barred: Outcome | None = None
    access: Access = PLAIN_ACCESS


@dataclass(frozen=True, slots=True)
class Findings:
    """The stages that were passed, in order, and the one that was not."""

    passed: tuple[ProbeStage, ...]
    failed: ProbeStage | None = None
    outcome: Outcome | None = None


async def probe(upstream: Upstream, hostname: str, login: Login, *, limit: float = LIMIT) -> Findings:
    """Go through the stages until one fails. The banner belongs to EHLO: Connect is the TCP connection alone."""
    timeouts = Timeouts.within(upstream.connections.reply_timeout)
    opening = Opening(Dialer(upstream, hostname, timeouts, access=login.access))
    outcome = None
    try:
        async with asyncio.timeout(limit):
            await _converse(opening, upstream, login)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what this stage met
        outcome = classify_exception(opening.stage, error)
    except asyncio.CancelledError:
        opening.abort()
        raise
    if opening.wire is not None:
        await _leave(opening.wire, timeouts.quit)
    passed = {_STAGES[one] for one in opening.passed}
    failed = _STAGES[opening.stage] if outcome else None
    return Findings(tuple(one for one in ProbeStage if one in passed and one is not failed), failed, outcome)


async def _converse(opening: Opening, upstream: Upstream, login: Login) -> None:
    wire, _ = await opening.greet()
    if upstream.auth is not AuthMechanism.NONE and login.barred is not None:
        opening.stage = Stage.AUTH
        raise UnusableError(login.barred)
    await opening.log_in(login.credential)
    if upstream.probe_sender is not None:
        opening.stage = Stage.MAIL
        await _try_sender(wire, upstream, upstream.probe_sender, takes_utf8=opening.capabilities.utf8)
        opening.passed.add(Stage.MAIL)


async def _try_sender(wire: Wire, upstream: Upstream, sender: str, *, takes_utf8: bool) -> None:
    """MAIL FROM and RSET: a sender can be seen refused here, never accepted for good. `LIMIT` bounds the waits."""
    if not sender.isascii() and not takes_utf8:
        raise UnusableError(Outcome(Verdict.HOLD, Stage.MAIL, Fault.CAPABILITY, detail=_NO_UTF8, remedy=_ASCII))
    utf8 = "" if sender.isascii() else " SMTPUTF8"
    wire.write(f"MAIL FROM:<{sender}>{utf8}\r\n".encode(), owed=1)
    answer = await wire.answer(LIMIT)
    if not 200 <= answer.code < 300:
        context = Context(sender.rpartition("@")[2], sender)
        raise UnusableError(judge(upstream.profile, Stage.MAIL, answer, context))
    wire.write(b"RSET\r\n", owed=1)
    await wire.answer(LIMIT)


async def _leave(wire: Wire, limit: float) -> None:
    """QUIT where the conversation stands well; anything else is dropped."""
    if not wire.is_clean:
        wire.abort()
        return
    try:
        await asyncio.wait([wire.leave(limit)], timeout=limit + 0.5)
    except asyncio.CancelledError:
        wire.abort()
        raise


_NO_UTF8 = "5.6.7 the probe's sender is not ASCII and this upstream does not offer SMTPUTF8"
_ASCII = "Set spec.probe.sender of the UpstreamProvider to an ASCII address."
