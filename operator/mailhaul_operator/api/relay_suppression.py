"""The part of an SmtpRelay about recipients that failed permanently: when they are refused at once, and for how long.

Failures: see `part`.
"""

from typing import Annotated

from pydantic import Field

from mailhaul_operator.api.amounts import Duration
from mailhaul_operator.api.part import Part


class RelaySuppression(Part):
    """Recipients that failed permanently several times are refused at once, with the reason."""

    failures: Annotated[int, Field(ge=1, le=100)] = 3
    """Permanent failures that begin a refusal; a delivery in between makes them count from the beginning."""
    within: Annotated[int, Duration("1m", "8760h")] = 604_800
    """Failures longer ago do not count."""
    lasts: Annotated[int, Duration("1m", "8760h")] = 2_592_000
    """How long a recipient is refused. `mailhaul suppression release` ends it sooner."""
