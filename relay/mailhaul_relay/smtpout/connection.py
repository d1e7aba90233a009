"""From nothing to a connection that takes MAIL: connect, TLS, banner, EHLO, STARTTLS, AUTH.

`pool` asks the `Dialer` for a connection, `probe` takes the stages of an `Opening` in turn. StartTLS never falls back
to plain text, nothing that was learned before TLS survives it, and a password leaves only over TLS, or in plain text
where the configuration names `tls.mode: None`. Failure: UnusableError, whose outcome says stage, fault and remedy; the
socket is closed then.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from mailhaul_contract.upstream import AddressFamily, AuthMechanism, TlsMode, Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.smtpout import token_login
from mailhaul_relay.smtpout.access import PLAIN_ACCESS, Access
from mailhaul_relay.smtpout.breakdown import UnusableError, classify_exception
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.classify import Context, judge
from mailhaul_relay.smtpout.login import choose_mechanism, log_in
from mailhaul_relay.smtpout.replies import Answer
from mailhaul_relay.smtpout.security import IdentityError, client_context
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.smtpout.wire import Wire

HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds until the next address is tried as well (RFC 8305 section 5)."""
_FAMILIES = {
    AddressFamily.ANY: socket.AF_UNSPEC,
    AddressFamily.IPV4: socket.AF_INET,
    AddressFamily.IPV6: socket.AF_INET6,
}


class Connection:
    """A connection that is greeted and authenticated. `used` counts transactions, `idle_since` is in loop time;
    `by_previous` when it logged in with the credential before the current one.
    """

    def __init__(self, wire: Wire, capabilities: Capabilities) -> None:
        self.wire = wire
        self.capabilities = capabilities
        self.used = 0
        self.idle_since = 0.0
        self.needs_reset = False
        self.by_previous = False


WireFactory = Callable[[asyncio.AbstractEventLoop, Outbox], Wire]


class Dialer:
    """Opens connections to one upstream, over wires that `make_wire` makes."""

    def __init__(
        self,
        upstream: Upstream,
        hostname: str,
        timeouts: Timeouts,
        make_wire: WireFactory = Wire,
        access: Access = PLAIN_ACCESS,
    ) -> None:
        self.make_wire = make_wire
        self.access = access
        self.upstream = upstream
        self.hostname = hostname
        self.timeouts = timeouts
        self.outbox = Outbox()

    async def dial(self, credential: Credential | None) -> Connection:
        """Open one connection and log in, where the upstream wants it. Raises UnusableError."""
        opening = Opening(self)
        try:
            wire, capabilities = await opening.greet()
            await opening.log_in(credential)
        except UnusableError:
            opening.abort()
            raise
        except Exception as error:
            # Whatever went wrong becomes an outcome here: unknown errors are temporary, and no other mail stops.
            opening.abort()
            raise UnusableError(classify_exception(opening.stage, error)) from error
        except asyncio.CancelledError:
            opening.abort()
            raise
        return Connection(wire, capabilities)


class Opening:
    """One attempt to open a connection; `stage` is where it stands, `passed` what it has behind it. What it raises is
    an UnusableError, or whatever `breakdown` explains.
    """

    def __init__(self, dialer: Dialer) -> None:
        self.stage = Stage.CONNECT
        self.passed: set[Stage] = set()
        self.wire: Wire | None = None
        self.capabilities = Capabilities()
        self._upstream = dialer.upstream
        self._hostname = dialer.hostname
        self._timeouts = dialer.timeouts
        self._outbox = dialer.outbox
        self._access = dialer.access
        self._make_wire = dialer.make_wire

    async def greet(self) -> tuple[Wire, Capabilities]:
        """Connect, secure and greet: all stages before AUTH."""
        mode = self._upstream.tls.mode
        wire = self.wire = await self._connect()
        self.passed.add(Stage.CONNECT)
        if mode is TlsMode.IMPLICIT:
            await self._secure(wire)
        self.stage = Stage.BANNER
        self._expect(await wire.answer(self._timeouts.banner), 220)
        capabilities = await self._greet(wire)
        if mode is TlsMode.START_TLS:
            await self._start_tls(wire, capabilities)
            capabilities = await self._greet(wire)
        self.capabilities = capabilities
        self.passed.add(Stage.EHLO)
        return wire, capabilities

    def abort(self) -> None:
        """Drop what was opened."""
        if self.wire is not None:
            self.wire.abort()

    async def _connect(self) -> Wire:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeouts.connect):
            _, wire = await loop.create_connection(
                lambda: self._make_wire(loop, self._outbox),
                self._upstream.host,
                self._upstream.port,
                family=_FAMILIES[self._upstream.connections.address_family],
                happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
            )
        return wire

    async def _secure(self, wire: Wire) -> None:
        self.stage = Stage.TLS
        tls = self._upstream.tls
        context = self._context()
        await wire.start_tls(context, tls.server_name or self._upstream.host, self._timeouts.tls)
        self.passed.add(Stage.TLS)

    def _context(self) -> ssl.SSLContext:
        tls, identity = self._upstream.tls, self._access.identity
        if tls.client_certificate and identity is None:
            remedy = "Check that the Secret of spec.tls.clientCertificateRef has tls.crt and tls.key."
            raise _held(Stage.TLS, Fault.TLS, "the client certificate of this provider is missing", remedy)
        try:
            return client_context(tls, identity if tls.client_certificate else None)
        except IdentityError as error:
            remedy = (
                "Give the Secret of spec.tls.clientCertificateRef a PEM chain, leaf first, and its unencrypted key."
            )
            raise _held(Stage.TLS, Fault.TLS, f"the client certificate cannot be used ({error})", remedy) from None
        except (ssl.SSLError, ValueError):
            remedy = "Put certificates in PEM form into what spec.tls.caRef names."
            raise _held(Stage.TLS, Fault.TLS, "tls.ca holds no usable PEM certificate", remedy) from None

    async def _greet(self, wire: Wire) -> Capabilities:
        self.stage = Stage.EHLO
        answer = await self._ask(wire, f"EHLO {self._hostname}", self._timeouts.ehlo)
        plain = self._upstream.tls.mode is TlsMode.NONE and self._upstream.auth is AuthMechanism.NONE
        if answer.code >= 500 and plain:
            answer = await self._ask(wire, f"HELO {self._hostname}", self._timeouts.ehlo)
            self._expect(answer, 250)
            return Capabilities()
        self._expect(answer, 250)
        return Capabilities.parse(answer.lines[1:])

    async def _start_tls(self, wire: Wire, capabilities: Capabilities) -> None:
        self.stage = Stage.TLS
        if not capabilities.start_tls:
            remedy = "Use a port that offers STARTTLS (587, 2525), or tls.mode Implicit with port 465."
            raise _held(Stage.TLS, Fault.TLS, "the upstream does not offer STARTTLS", remedy)
        self._expect(await self._ask(wire, "STARTTLS", self._timeouts.tls), 220)
        if not wire.is_clean:
            remedy = "Somebody between relay and upstream may be injecting commands; check the network path."
            raise _held(Stage.TLS, Fault.TLS, "data came in plain text after STARTTLS was answered", remedy)
        await self._secure(wire)

    async def log_in(self, credential: Credential | None) -> None:
        """Authenticate where the upstream wants it; after `greet`."""
        if self._upstream.auth is AuthMechanism.NONE or self.wire is None:
            return
        self.stage = Stage.AUTH
        if credential is None:
            remedy = "Set spec.auth.secretRef of the UpstreamProvider and check that the Secret has both keys."
            raise _held(Stage.AUTH, Fault.AUTH, "the credential of this provider is missing", remedy)
        mechanism = choose_mechanism(self._upstream.auth, self.capabilities)
        if mechanism is AuthMechanism.XOAUTH2:
            await self._log_in_by_token(self.wire, credential)
        else:
            self._expect(await log_in(self.wire, mechanism, credential, self._timeouts.auth), 235)
        self.passed.add(Stage.AUTH)

    async def _log_in_by_token(self, wire: Wire, credential: Credential) -> None:
        tokens, client = self._access.tokens, credential.client
        if tokens is None or client is None or not tokens.is_complete(client):
            remedy = (
                "Check that the Secret of spec.auth has clientId and what the grant needs: clientSecret, refreshToken."
            )
            raise _held(Stage.AUTH, Fault.AUTH, "the credential of this provider is not complete", remedy)
        answer = await token_login.log_in_by_token(wire, credential.username, client, tokens, self._timeouts.auth)
        if answer.code == 235:
            return
        outcome = judge(self._upstream.profile, self.stage, answer, Context())
        if outcome.fault is Fault.AUTH and outcome.rule in token_login.GENERAL_RULES:
            outcome = replace(outcome, remedy=token_login.REMEDY)
        raise UnusableError(outcome)

    async def _ask(self, wire: Wire, command: str, limit: float) -> Answer:
        wire.write(command.encode() + b"\r\n", owed=1)
        return await wire.answer(limit)

    def _expect(self, answer: Answer, code: int) -> None:
        """Go on after this code, else give up with the reply's outcome."""
        if answer.code != code:
            raise UnusableError(judge(self._upstream.profile, self.stage, answer, Context()))


def _held(stage: Stage, fault: Fault, detail: str, remedy: str) -> UnusableError:
    return UnusableError(Outcome(Verdict.HOLD, stage, fault, detail=detail, remedy=remedy))
