"""Times of the resources: aware, in whole seconds, as Kubernetes writes them; and as seconds since the epoch.

Beside the models, so that `assess`, which may import no clock, can fill a status. Pure. Failures: none for times of
this millennium; OverflowError or ValueError for a number that is no date.
"""

from datetime import UTC, datetime
from math import floor


def moment(seconds: float) -> datetime:
    """Give the moment of a number of seconds since the epoch, in UTC, without the part of a second."""
    return datetime.fromtimestamp(floor(seconds), UTC)


def epoch(time: datetime) -> float:
    """Give the seconds since the epoch of an aware time."""
    return time.timestamp()
