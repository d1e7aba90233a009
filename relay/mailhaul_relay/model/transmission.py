"""What an upstream is asked to take: one transaction's envelope and bytes, made by `queue`, sent by `smtpout`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Transmission:
    """One message for some recipients with one envelope sender ("" is null). `head` and `body` are in wire form;
    `important` mail may spend what quotas reserve; `party` is that of its envelope. `further` is asked before each
    transaction after the first, with the number of those in which something was taken or may have been: None lets it
    begin, an outcome is that of the recipients which are left.
    """

    id: str
    sender: str
    recipients: tuple[str, ...]
    head: bytes
    body: Body
    from_domain: str = ""
    eight_bit: bool = False
    utf8: bool = False
    important: bool = False
    party: str = ""
    further: Callable[[int], Outcome | None] | None = field(default=None, compare=False, repr=False)

    @property
    def size(self) -> int:
        """Octets as RFC 1870 counts them, nearly: stuffed dots are counted too, which errs on the safe side."""
        return len(self.head) + self.body.size


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a transmission: one outcome for each recipient, in order; `endpoint` is `host:port`.
    `transactions` are those in which the upstream took something, or may have; 1 or 0 where nothing was.
    """

    outcomes: tuple[Outcome, ...]
    endpoint: str = ""
    transactions: int = 1
