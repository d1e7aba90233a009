"""A provider's quota in a cluster: shared by replicas, told in the status, and left behind when it is raised."""

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LIMIT = {"period": "Day", "limit": 2, "timeZone": "Europe/Berlin", "validUntil": "2099-12-31"}


def test_a_quota_is_kept_by_all_replicas_told_and_raised(stage: Stage) -> None:
    stage.app()
    first, second = stage.provider("first"), stage.provider("second")
    limited = resources.provider("first", first.host, quotas=[LIMIT])
    stage.apply(limited, resources.provider("second", second.host))
    stage.apply(resources.relay(["first", "second"]))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    subjects = [one for number in range(5) for one in stage.accepted(Mail(f"mail {number}"))]
    stage.until(lambda: len(first.subjects()) + len(second.subjects()) == len(subjects), 20)
    assert len(first.subjects()) == 2

    stage.wait_condition("upstream/first", "QuotaSufficient", "False", "QuotaExhausted", seconds=90)
    assert stage.condition("smtprelay/relay", "Ready")["status"] == "True"
    stage.until(lambda: _used(stage) == 2, 90)
    assert "quota Day: 2 of 2 messages used" in stage.condition("upstream/first", "Ready")["message"]

    stage.apply(resources.relay(["first", "second"], replicas=2))
    stage.until(lambda: stage.get("smtprelay", "relay")["status"].get("readyReplicas") == 2, 90)
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True", seconds=60)
    subjects += [one for number in range(5, 11) for one in stage.accepted(Mail(f"mail {number}"))]
    stage.until(lambda: len(first.subjects()) + len(second.subjects()) == len(subjects), 20)
    assert len(first.subjects()) == 2, "a replica that came later has no part in a day that runs"

    stage.apply(resources.provider("first", first.host, quotas=[LIMIT | {"limit": 1000}]))
    stage.until(lambda: stage.get("upstream", "first")["status"]["quotas"][0]["limit"] == 1000, 90)
    while len(first.subjects()) == 2:
        assert len(subjects) < 100, "the replica that was there all the time gets no mail, or may not send it"
        subjects += stage.accepted(Mail(f"mail {len(subjects)}"))
    stage.until(lambda: len(first.subjects()) + len(second.subjects()) == len(subjects), 20)


def _used(stage: Stage) -> int:
    told = stage.get("upstream", "first")["status"].get("quotas") or [{"used": 0}]
    return int(told[0]["used"])
