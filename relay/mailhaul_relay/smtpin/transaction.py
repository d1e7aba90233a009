"""One mail transaction: what MAIL and RCPT have settled before the message comes (RFC 5321 section 3.3).

`session` makes one at MAIL and drops it at RSET, EHLO or the end of the message. It keeps the configuration of its
MAIL, so that one message is judged by one configuration. A mailbox that several recipients lead to gets the message
once.
"""

from dataclasses import dataclass, field

from mailhaul_relay.model.message import Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source
from mailhaul_relay.smtpin.arguments import MailArguments
from mailhaul_relay.smtpin.limits import EXPANDED_RECIPIENTS
from mailhaul_relay.smtpin.replies import TOO_MANY_RECIPIENTS


@dataclass(slots=True)
class Transaction:
    """`addressed` counts the RCPT commands that were accepted, `recipients` are by the folded final address;
    `addressed_in_vain` tells of a refused RCPT, `overflown` that the client heard of too many."""

    running: Running
    source: Source
    mail: MailArguments
    addressed: int = 0
    recipients: dict[str, Recipient] = field(default_factory=dict)
    addressed_in_vain: bool = False
    overflown: bool = False

    @property
    def is_full(self) -> bool:
        """Whether no further RCPT is taken."""
        return self.addressed >= self.running.config.limits.recipients

    def add(self, recipients: tuple[Recipient, ...]) -> Reply | None:
        """Add what one RCPT leads to, all or nothing."""
        added = {one.final.casefold(): one for one in recipients}
        if len(self.recipients.keys() | added.keys()) > EXPANDED_RECIPIENTS:
            return TOO_MANY_RECIPIENTS
        for key, one in added.items():
            self.recipients.setdefault(key, one)
        self.addressed += 1
        return None
