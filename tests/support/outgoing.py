"""Builds what tests of delivery need: an upstream on loopback, its transport, and transmissions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Outcome
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.ports.clock import Clock, wall_clock
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.pool import SmtpTransport
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally, UpstreamTally

CREDENTIAL = Credential("relay", "s3cret-of-the-relay")
QUICK = Timeouts(
    connect=1.0, banner=0.3, ehlo=0.3, tls=1.0, auth=0.3, mail=0.3, rcpt=0.3, data=0.3, block=0.5, end_of_data=0.3,
    quit=0.3,
)  # fmt: skip
"""Limits for servers that hang."""
USUAL = Timeouts(connect=5.0, banner=5.0, ehlo=5.0, auth=5.0, mail=5.0, rcpt=5.0, data=5.0, end_of_data=10.0)


def upstream(port: int, **fields: object) -> Upstream:
    """An upstream at 127.0.0.1 without TLS, unless `tls` says otherwise."""
    values: dict[str, object] = {
        "name": "primary",
        "provider": "primary",
        "host": "127.0.0.1",
        "port": port,
        "tls": {"mode": "None"},
    }
    return Upstream.model_validate({**values, **fields})


def transmission(*recipients: str, body: bytes | Body = b"Hello.\r\n", **fields: object) -> Transmission:
    """A small message from app@example.com, to bob@example.net unless recipients are given."""
    usual = Transmission(
        id="id000001",
        sender="app@example.com",
        recipients=recipients or ("bob@example.net",),
        head=b"Subject: test\r\n\r\n",
        body=body if isinstance(body, Body) else Body(len(body), body),
        from_domain="example.com",
    )
    return replace(usual, **fields)  # type: ignore[arg-type]


class Outgoing:
    """A transport with its tally and the log lines that it wrote."""

    def __init__(self, up: Upstream, logins: Logins, timeouts: Timeouts) -> None:
        self.lines: list[str] = []
        tally = Tally()
        self.tally: UpstreamTally = tally.upstream(up.name)
        log = Log(write=self.lines.append)
        self.logins = logins
        self.transport = SmtpTransport(up, self.logins, "relay.example.com", tally, log, timeouts=timeouts)

    async def send(self, *recipients: str) -> tuple[Outcome, ...]:
        """Deliver a small message and give the outcomes."""
        return (await self.deliver(transmission(*recipients))).outcomes

    async def deliver(self, message: Transmission) -> Delivery:
        """Deliver a message."""
        return await self.transport.deliver(message)


@asynccontextmanager
async def outgoing(
    port: int,
    *,
    credential: Credential | None = CREDENTIAL,
    previous: Credential | None = None,
    timeouts: Timeouts = USUAL,
    clock: Clock = wall_clock,
    **fields: object,
) -> AsyncIterator[Outgoing]:
    """Give a transport to a port of loopback and close it in the end."""
    out = Outgoing(upstream(port, **fields), Logins(credential, previous, clock), timeouts)
    try:
        yield out
    finally:
        await out.transport.close()
