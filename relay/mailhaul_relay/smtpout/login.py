"""SMTP AUTH (RFC 4954) with PLAIN (RFC 4616) and LOGIN.

Called by `connection` after TLS. The password goes to the socket and nowhere else: no text here holds it. Failures:
UnusableError with fault AUTH when the server does not offer what is configured; a refusal is the returned answer.
"""

import base64

from mailhaul_contract.upstream import AuthMechanism
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.smtpout.breakdown import UnusableError
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.concealment import forms
from mailhaul_relay.smtpout.replies import Answer
from mailhaul_relay.smtpout.wire import Wire

MAX_COMMAND = 510
"""Octets of a command without CRLF (RFC 5321 section 4.5.3.1.4); longer responses wait for a challenge."""


def choose_mechanism(wanted: AuthMechanism, capabilities: Capabilities) -> AuthMechanism:
    """Give PLAIN or LOGIN as configured and offered; raises UnusableError when there is none."""
    choice = (AuthMechanism.PLAIN, AuthMechanism.LOGIN) if wanted is AuthMechanism.AUTO else (wanted,)
    for mechanism in choice:
        if mechanism.value.upper() in capabilities.mechanisms:
            return mechanism
    names = " or ".join(one.value.upper() for one in choice)
    offered = ", ".join(sorted(capabilities.mechanisms))[:100] or "no AUTH"
    detail = f"the upstream offers {offered}, the configuration wants {names}"
    remedy = "Check spec.port and spec.tls.mode (AUTH is often offered after TLS only), or set spec.auth.mechanism."
    raise UnusableError(Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, detail=detail, remedy=remedy))


async def log_in(wire: Wire, mechanism: AuthMechanism, credential: Credential, limit: float) -> Answer:
    """Authenticate and give the final answer: 235, or the refusal. Some servers repeat what they were given, then or
    later, and their words go into log, report and queue.
    """
    wire.conceal(forms(credential.password.encode(), _response(credential)))
    converse = _plain if mechanism is AuthMechanism.PLAIN else _login
    return await converse(wire, credential, limit)


def _response(credential: Credential) -> bytes:
    return f"\0{credential.username}\0{credential.password}".encode()


async def _plain(wire: Wire, credential: Credential, limit: float) -> Answer:
    response = base64.b64encode(_response(credential))
    command = b"AUTH PLAIN " + response
    if len(command) <= MAX_COMMAND:
        return await _ask(wire, command, limit)
    answer = await _ask(wire, b"AUTH PLAIN", limit)
    return await _ask(wire, response, limit) if answer.code == 334 else answer


async def _login(wire: Wire, credential: Credential, limit: float) -> Answer:
    answer = await _ask(wire, b"AUTH LOGIN", limit)
    for part in (credential.username, credential.password):
        if answer.code != 334:
            return answer
        answer = await _ask(wire, base64.b64encode(part.encode()), limit)
    return answer


async def _ask(wire: Wire, line: bytes, limit: float) -> Answer:
    wire.write(line + b"\r\n", owed=1)
    return await wire.answer(limit)
