"""A replica's times are of its own clock, and that is not the operator's."""

from typing import Any

import pytest
from tests.golden.assess.worlds import T0, relay_view

from mailhaul_operator.assess.relay import assess_relay

HOUR = 3600


def delivering(skew: float, waited: float, **error: Any) -> tuple[str, str]:  # noqa: ANN401 - fields of a report
    """Status and reason of Delivering, of a replica whose clock is so many seconds ahead of ours, and whose last
    delivery and oldest waiting message are so many seconds old."""
    at = skew - waited
    upstreams = {"main": {"credential": "Proved"}}
    report = {"time": skew, "started": skew - 9 * HOUR, "lastDelivery": at, "upstreams": upstreams, **error}
    if not error:
        report["queue"] = {"deferred": 1, "oldest": at}
    status = assess_relay(relay_view({"pods": [{"report": report}]}, T0, None))
    found = next(one for one in status.conditions if one.type == "Delivering")
    return found.status.value, found.reason


@pytest.mark.parametrize("skew", [-HOUR, 0, HOUR])
def test_mail_that_leaves_is_not_stale_and_mail_that_waits_is_whatever_the_replicas_clock_says(skew: float) -> None:
    assert delivering(skew, waited=2) == ("True", "MailLeaves")
    assert delivering(skew, waited=HOUR) == ("False", "NotDelivering")


@pytest.mark.parametrize("skew", [-HOUR, 0, HOUR])
def test_mail_that_has_just_failed_gets_its_patience_whatever_the_replicas_clock_says(skew: float) -> None:
    def failed(before: float) -> dict[str, Any]:
        said = {"time": skew - before, "code": 554, "text": "no", "stage": "data", "fault": "protocol"}
        return {"failed": 1, "lastError": said, "lastErrorUpstream": "main"}

    assert delivering(skew, HOUR, **failed(2)) == ("True", "MailLeaves")
    assert delivering(skew, HOUR, **failed(HOUR / 2)) == ("False", "MailFails")
