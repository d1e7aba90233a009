"""`mailhaul status`, here and of a cluster, shows what is used of a quota, its reset, and when it will be full."""

from datetime import datetime

from mailhaul_contract.report import BreakerState, QuotaReport, RelayReport, ReplyReport, UpstreamReport
from mailhaul_operator.cluster.inventory import Owned
from mailhaul_operator.cluster.status import screen as cluster_screen
from mailhaul_operator.local.reports import Endpoint
from mailhaul_operator.local.status import Asked, screen

NOW = datetime.fromisoformat("2026-11-21T16:00:00+00:00").timestamp()
TAKEN = ReplyReport(time=NOW - 9, code=250, text="queued", stage="end-of-data")


def _screen(**fields: object) -> list[str]:
    known = {"name": "main", "provider": "main", "endpoint": "mail.example:587", "last_reply": TAKEN}
    report = RelayReport(
        namespace="smtp",
        name="relay",
        pid=1,
        started=NOW - 60,
        time=NOW,
        digest="sha256:1",
        accepting=True,
        upstreams=(UpstreamReport.model_validate({**known, **fields}),),
    )
    return screen(Asked("smtp/relay", Endpoint("127.0.0.1", 9090, ""), report), NOW).splitlines()


def test_the_screen_shows_each_quota_and_a_lowered_pace() -> None:
    day = QuotaReport(period="Day", counts="Messages", used=140, limit=150, reset=NOW + 3600, full=NOW + 2400)
    lines = _screen(quotas=(day,), pace=0.25)
    quota = next(line for line in lines if "quota Day" in line)
    assert quota.startswith("    quota Day: 140 of 150 messages used, resets 20")
    assert quota.endswith(" at this rate")
    assert any("Closed, at 25% of its pace, delivered 0" in line for line in lines)


def test_an_upstream_whose_quota_is_spent_is_told_in_words_of_ours_and_not_by_its_last_reply() -> None:
    day = QuotaReport(period="Day", counts="Messages", used=150, limit=150, reset=NOW + 28_800)
    lines = _screen(quotas=(day,), breaker=BreakerState.OPEN, breaker_fault="quota", next_attempt=NOW + 28_800)
    assert lines[1] == (
        "  ! upstream main (mail.example:587) is out, quota"
        "; quota Day: 150 of 150 messages used, resets 2026-11-22 00:00:00 UTC"
    )
    assert lines[2] == (
        "    remedy: wait for the next period, raise the quota, or add another upstream; next try in 8 h"
    )


def test_a_cluster_s_screen_shows_what_the_operator_summed_up() -> None:
    metadata = {"namespace": "smtp", "name": "main", "generation": 1}
    quota = {"period": "Month", "used": 412, "limit": 1000, "resetTime": "2026-12-01T00:00:00Z"}
    quota |= {"fullTime": "2026-11-28T16:40:00Z", "validUntil": "2027-02-01T00:00:00Z"}
    provider = {
        "kind": "UpstreamProvider",
        "metadata": metadata,
        "spec": {"type": "smtp"},
        "status": {"quotas": [quota]},
    }
    relay = {"kind": "SmtpRelay", "metadata": metadata, "spec": {}, "status": {}}
    lines = cluster_screen(Owned(relay, (provider,), ())).splitlines()
    assert lines[-1] == (
        "    quota Month: 412 of 1000 messages used, resets 2026-12-01 00:00:00 UTC,"
        " full at 2026-11-28 16:40:00 UTC at this rate, trial until 2027-02-01 00:00:00 UTC"
    )
