"""A reserve and an important route are of use only together; what is not known is not told."""

from typing import Any

import pytest

from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.findings import Reason
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Snapshot
from mailhaul_operator.plan.survey import survey
from mailhaul_operator.reconcile.memory import RelayPass

API = {"apiVersion": "mailhaul.dev/v1alpha1"}
RESERVED = ({"period": "Day", "limit": 100, "reservePercent": 20},)


def provider(name: str, *quotas: dict[str, Any], namespace: str = "smtp", secret: str = "") -> UpstreamProvider:
    auth = {"secretRef": {"name": secret}} if secret else {"mechanism": "None"}
    spec = {"type": "smtp", "host": f"{name}.example", "auth": auth, "quotas": quotas}
    meta = {"name": name, "namespace": namespace}
    return UpstreamProvider.from_json({**API, "kind": "UpstreamProvider", "metadata": meta, "spec": spec})


def relay(*routes: dict[str, Any], name: str = "relay") -> SmtpRelay:
    upstreams = [{"name": one, "providerRef": {"name": provided}} for one, provided in (("a", "main"), ("b", "spare"))]
    spec = {"upstreams": upstreams, "routes": [{"name": f"r{at}", **one} for at, one in enumerate(routes)]}
    meta = {"name": name, "namespace": "smtp"}
    return SmtpRelay.from_json({**API, "kind": "SmtpRelay", "metadata": meta, "spec": spec})


def told(one: SmtpRelay, *providers: UpstreamProvider, secrets: tuple[Secret, ...] = ()) -> set[Reason]:
    resources = Resources(relays=(one,), providers=providers, secrets=secrets)
    planned = plan(Snapshot(one, resources, Fresh("revision", "token")))
    found = {finding.reason for finding in (*planned.findings, *survey(resources))}
    return found & {Reason.IMPORTANT_WITHOUT_RESERVE, Reason.RESERVE_NOT_USED}


@pytest.mark.parametrize(
    ("routes", "reasons"),
    [
        ([], {Reason.RESERVE_NOT_USED}),
        ([{"upstreams": ["a"]}], {Reason.RESERVE_NOT_USED}),
        ([{"important": True}], set()),
        ([{"important": True, "upstreams": ["b", "a"]}], set()),
        ([{"important": True, "upstreams": ["b"]}], {Reason.IMPORTANT_WITHOUT_RESERVE, Reason.RESERVE_NOT_USED}),
    ],
)
def test_each_is_told_without_the_other(routes: list[dict[str, Any]], reasons: set[Reason]) -> None:
    assert told(relay(*routes), provider("main", *RESERVED), provider("spare")) == reasons


def test_a_provider_that_is_left_out_may_keep_the_reserve() -> None:
    routes = {"important": True}
    assert told(relay(routes), provider("main", *RESERVED, secret="absent"), provider("spare")) == set()


def test_a_provider_of_another_namespace_is_not_this_one() -> None:
    elsewhere = provider("main", *RESERVED, namespace="other")
    assert told(relay({"important": True}), provider("main", *RESERVED), provider("spare"), elsewhere) == set()


def test_a_relay_says_of_each_provider_whether_it_may_spend_a_reserve() -> None:
    one = relay({"important": True, "upstreams": ["b"]})
    snapshot = Snapshot(one, Resources(relays=(one,)), Fresh("", ""))
    last = RelayPass(snapshot, plan(snapshot), ())
    assert [use.spends_reserve for name in ("main", "spare") for use in last.uses(name)] == [False, True]
