"""Routes from a resource to the provider: whose mail goes where, live, and what is told when a route has no way."""

import json

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BILLING = {"name": "billing", "match": {"senderDomains": ["pay.example.com"]}, "upstreams": ["second"]}
REST = {"name": "rest", "upstreams": ["first"]}


def _bill(subject: str) -> Mail:
    return Mail(subject, sender="bills@pay.example.com")


def test_a_route_leads_its_mail_live_refuses_what_it_may_not_send_and_tells_when_it_has_no_way(stage: Stage) -> None:
    stage.app()
    first, second = stage.provider("first"), stage.provider("second")
    stage.apply(resources.provider("first", first.host), resources.provider("second", second.host))
    stage.apply(resources.relay(["first", "second"]))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    pod = stage.identity("relay-0")
    stage.accepted(_bill("before"))
    stage.until(lambda: "before 0" in first.subjects(), 10)

    stage.apply(resources.relay(["first", "second"], routes=[BILLING, REST]))
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True")
    stage.until(lambda: bool(stage.send(_bill("bill")).accepted) and bool(second.subjects()), 30)
    assert stage.send(Mail("plain")).accepted
    stage.until(lambda: "plain 0" in first.subjects(), 10)
    assert "plain 0" not in second.subjects()

    others = resources.provider("second", second.host, senders={"domains": ["other.example.com"]})
    stage.apply(others)
    told = stage.wait_condition("smtprelay/relay", "UpstreamsReady", "False", "SenderDomainNotSendable", seconds=30)
    print(f"told {told:.1f} s after the change")
    stage.until(lambda: stage.send(_bill("refused")).answers[0][1] == 550, 30)
    assert "route billing" in stage.send(_bill("refused")).answers[0][2]

    stage.apply(resources.provider("second", second.host))
    stage.wait_condition("smtprelay/relay", "UpstreamsReady", "True", seconds=30)
    stage.ask("delete", "pod", "second", "--wait=true")
    assert stage.send(_bill("waits")).accepted
    stage.wait_condition("smtprelay/relay", "Ready", "False", "ConnectionFailed", seconds=30)
    assert "route billing has no other" in stage.condition("smtprelay/relay", "Ready")["message"]
    assert stage.send(Mail("still")).accepted
    stage.until(lambda: "still 0" in first.subjects(), 10)

    again = stage.provider("second")
    again.wait_subjects(["waits 0"], 60)
    stage.wait_condition("smtprelay/relay", "Ready", "True", seconds=30)
    assert stage.identity("relay-0") == pod


def test_the_api_server_refuses_two_routes_of_one_name(stage: Stage) -> None:
    twice = resources.relay(["first"], routes=[BILLING, BILLING])
    answer = stage.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(twice))
    assert answer.code != 0
    assert "two routes have the same name; give each its own" in answer.err
