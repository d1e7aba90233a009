"""The seam of delivery: `queue` hands a transmission to a transport and gets outcomes, never an exception.

Two transports implement it: SMTP (`pool`) and the built-in inbox (`capture`). `queue` keeps at most
`connections.max` calls of `deliver` under way at once for each transport.
"""

from typing import Protocol

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.smtpout.logins import Logins


class Transport(Protocol):
    """One upstream that takes messages."""

    async def deliver(self, transmission: Transmission) -> Delivery:
        """Send one transaction (or several, when recipients must be split). Every failure is an outcome. Before each
        further transaction `transmission.further` is asked, if it is set.

        When it is cancelled before the final dot was sent, the connection is dropped and nothing of that
        transaction was delivered; where others came before it, what became of them is returned.
        After the final dot cancellation gives the reply a last moment (a second); without it the outcome is UNKNOWN.
        """

    def use_at_most(self, connections: int) -> None:
        """Keep no more connections than this, for the upstream asked for fewer, or takes more again. `queue` begins no
        more transmissions than that; connections that idle beyond it are retired.
        """

    async def close(self) -> None:
        """Say QUIT on idle connections and drop them; transmissions under way end by themselves."""


class TransportFactory(Protocol):
    """Makes the transport of an upstream; a changed upstream or current credential gets a new one."""

    def __call__(self, upstream: Upstream, logins: Logins, hostname: str) -> Transport:
        """Give a transport; it connects when it first delivers."""
        ...
