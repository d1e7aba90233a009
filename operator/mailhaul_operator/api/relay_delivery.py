"""The part of an SmtpRelay about where mail goes: for real or into the inbox, to anybody or to testers, or nowhere now.

Failures: see `part`.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from mailhaul_contract.senders import normal_target
from mailhaul_operator.api.amounts import Duration
from mailhaul_operator.api.lists import SetOf
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule, accepted_by
from mailhaul_operator.api.text import DOMAIN_PATTERN, MAILBOX_PATTERN, OptionalMailAddress, matches

TARGET_RULE = Rule(
    "neither a mail address nor a domain; write it like user@example.com or example.com",
    matches(f"{MAILBOX_PATTERN}|{DOMAIN_PATTERN}"),
    accepted_by(normal_target),
)


class DeliveryMode(StrEnum):
    """Where mail goes."""

    LIVE = "Live"
    CAPTURE = "Capture"


class RelayDelivery(Part):
    """Whether mail leaves, and when a relay counts as one from which none does."""

    mode: DeliveryMode = DeliveryMode.LIVE
    """Live sends mail through the upstreams. Capture keeps it in the relay's inbox, by the same rules: for tests."""
    stale_after: Annotated[int, Duration("10s", "24h")] = 300
    """Not Ready when mail was accepted so long ago and none was delivered since."""
    suspended: bool = False
    """Accept mail and hold all of it until this is false again. Held mail expires as ever."""
    redirect_to: OptionalMailAddress = ""
    """All mail goes here in place of its recipients, but for those in recipients.allowed. X-Original-To names them to
    whoever reads this mailbox, Bcc'd ones too."""


class RelayRecipients(Part):
    """Whom mail may reach."""

    allowed: Annotated[
        tuple[
            Annotated[str, Field(min_length=1, max_length=254), TARGET_RULE, AfterValidator(normal_target)],
            ...,
        ],
        Field(max_length=256),
        SetOf(),
    ] = ()
    """Addresses, and domains for every address in them; others are refused, or redirected to delivery.redirectTo. Empty
    allows anybody."""
