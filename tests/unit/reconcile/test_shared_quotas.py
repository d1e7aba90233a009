"""What old replicas have used of a quota is known once every replica runs the plan that made their parts smaller."""

from typing import Any

import pytest

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.report import QuotaReport, RelayReport, UpstreamReport
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot
from mailhaul_operator.reconcile.memory import RelayPass
from mailhaul_operator.reconcile.shared_quotas import settled_quotas

DIGEST, MIDNIGHT = "sha256:planned", 1_790_035_200.0


def _plan(**share: Any) -> Plan:  # noqa: ANN401 - fields of Share
    quotas = [{"period": "Day", "limit": 60}, {"period": "Hour", "limit": 9, "window": "Rolling"}]
    upstream = {"name": "main", "provider": "the-provider", "host": "h.example", "quotas": quotas, "share": share}
    config = {
        "contractVersion": 1,
        "relay": {"namespace": "smtp", "name": "relay"},
        "hostname": "relay.example.com",
        "listeners": [{"name": "smtp", "port": 2525}],
        "upstreams": [upstream],
    }
    return Plan("smtp", "relay", RelayConfig.from_json(config), b"", DIGEST, {})


def _pod(ordinal: int | None, used: int, digest: str = DIGEST, **quota: Any) -> PodView:  # noqa: ANN401
    day = QuotaReport(period="Day", counts="Messages", used=used, limit=20, reset=MIDNIGHT).model_copy(update=quota)
    hour = QuotaReport(period="Hour", counts="Messages", used=1, limit=3, reset=MIDNIGHT - 7000)
    report = RelayReport(
        namespace="smtp",
        name="relay",
        pid=1,
        started=0,
        time=0,
        digest=digest,
        accepting=True,
        upstreams=(UpstreamReport(name="main", provider="the-provider", quotas=(day, hour)),),
    )
    return PodView(f"relay-{ordinal}", ordinal, "10.0.0.1", True, True, False, 0, report=report)


def _pass(plan: Plan, *pods: PodView) -> RelayPass:
    metadata = {"name": "relay", "namespace": "smtp"}
    spec = {"upstreams": [{"providerRef": {"name": "the-provider"}}]}
    document = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "SmtpRelay", "metadata": metadata, "spec": spec}
    return RelayPass(Snapshot(SmtpRelay.from_json(document), Resources(), Fresh("", "")), plan, pods)


GROWN: dict[str, Any] = {"of": 3, "changed": 1000, "least": 2, "most": 3}


def test_old_replicas_count_with_what_they_have_used_or_may_use() -> None:
    pods = (_pod(0, used=35, under_way=2), _pod(1, used=3), _pod(2, used=9, limit=0))
    assert settled_quotas(_pass(_plan(**GROWN), *pods)) == {"the-provider": {"Day": (MIDNIGHT, 37 + 20)}}


@pytest.mark.parametrize(
    "pods",
    [
        (_pod(0, 35), _pod(1, 3), _pod(2, 0, digest="sha256:before")),
        (_pod(0, 35, digest="sha256:before"), _pod(1, 3), _pod(2, 0)),
        (_pod(0, 35), _pod(2, 0)),
        (_pod(None, 35), _pod(None, 3)),
        (_pod(0, 35), _pod(1, 3, reset=MIDNIGHT + 86_400), _pod(2, 0)),
        (),
    ],
    ids=["a new one is behind", "an old one is behind", "an old one is not there", "no ordinals", "midnight", "nobody"],
)
def test_nothing_is_known_while_one_could_still_use_more(pods: tuple[PodView, ...]) -> None:
    assert settled_quotas(_pass(_plan(**GROWN), *pods)) == {}


def test_a_silent_old_replica_could_still_use_more() -> None:
    silent = PodView("relay-1", 1, "10.0.0.1", True, True, False, 0, report=Silence("refused", 0))
    assert settled_quotas(_pass(_plan(**GROWN), _pod(0, 35), silent, _pod(2, 0))) == {}


def test_nothing_is_asked_while_the_number_of_replicas_stands() -> None:
    assert settled_quotas(_pass(_plan(of=2), _pod(0, 35), _pod(1, 3))) == {}
