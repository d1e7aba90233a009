"""Who must get which mail, who got it, and what is wrong with that. Pure: the demo's judge.

A delivery is one mail for one mailbox. Every delivery must arrive exactly once, whichever upstream takes it.
"""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as an app sends it. `to` is what the app says, `mailboxes` is where it must end, aliases resolved."""

    subject: str
    sender: str
    to: tuple[str, ...]
    mailboxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One mail that an upstream took for one mailbox."""

    subject: str
    mailbox: str
    upstream: str


def missing(mails: list[Mail], arrivals: list[Arrival]) -> list[str]:
    """Say which deliveries have not arrived."""
    arrived = {(one.subject, one.mailbox) for one in arrivals}
    return [
        f"{mail.subject!r} to {mailbox} did not arrive"
        for mail in mails
        for mailbox in mail.mailboxes
        if (mail.subject, mailbox) not in arrived
    ]


def surplus(mails: list[Mail], arrivals: list[Arrival]) -> list[str]:
    """Say what arrived more than once, or where it was not meant to."""
    meant = {(mail.subject, mailbox) for mail in mails for mailbox in mail.mailboxes}
    counts = Counter((one.subject, one.mailbox) for one in arrivals)
    doubled = [f"{subject!r} to {mailbox} arrived {n} times" for (subject, mailbox), n in counts.items() if n > 1]
    strange = [
        f"{subject!r} to {mailbox} was sent to nobody" for subject, mailbox in counts if (subject, mailbox) not in meant
    ]
    return doubled + strange


def ways(mail: Mail, arrivals: list[Arrival]) -> set[str]:
    """Give the upstreams by which a mail arrived."""
    return {one.upstream for one in arrivals if one.subject == mail.subject}
