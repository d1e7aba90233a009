"""kstatus and the order in which resources are applied; and mail that is accepted but does not leave is told."""

import time

import pytest
from tests.support.e2e import resources
from tests.support.e2e.kstatus import concluded_of
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APART = 30.0
"""Seconds between two applies."""
SETTLED = 60.0
"""Seconds after the last apply within which all is Current."""
PASSWORD = "right-0d44ab"
ORDERS = (
    ("relay", "provider", "secret", "alias"),
    ("alias", "relay", "secret", "provider"),
    ("secret", "provider", "alias", "relay"),
    ("provider", "alias", "relay", "secret"),
    ("alias", "secret", "relay", "provider"),
    ("provider", "relay", "alias", "secret"),
)
"""Side by side, each with resources of its own. Of any two parts each is the first in one of them."""
KINDS = "smtprelays,upstreams,mailaliases"


def test_whatever_the_order_nothing_is_ever_failed_and_all_ends_current(stage: Stage) -> None:
    stage.provider("source", auth=(resources.USER, PASSWORD))
    whole = [_parts(number, f"source.{stage.namespace}.svc.cluster.local") for number in range(len(ORDERS))]
    seen = set[str]()
    for step in range(len(ORDERS[0])):
        began = time.monotonic()
        stage.apply(*(parts[order[step]] for order, parts in zip(ORDERS, whole, strict=True)))
        last = step == len(ORDERS[0]) - 1
        seen |= _watched(stage, 0 if last else began + APART - time.monotonic())
    while now := set(_conclusions(stage).values()) - {"Current"}:
        assert time.monotonic() - began < SETTLED, stage.ask("get", KINDS)
        seen |= now
        time.sleep(0.3)
    took = time.monotonic() - began
    print(f"{len(ORDERS)} orders, {APART:.0f} s apart: all Current {took:.1f} s after the last; {seen}")
    assert len(_conclusions(stage)) == 3 * len(ORDERS)
    assert "Failed" not in seen
    stage.ask("delete", KINDS, "--all", "--timeout=60s")


def test_mail_that_does_not_leave_for_the_given_time_is_told_with_the_providers_words(stage: Stage) -> None:
    stage.app()
    provider = stage.provider("slow")
    delivery = {"staleAfter": "10s"}
    spec = resources.relay(["slow"], "stale", delivery=delivery)
    stage.apply(resources.provider("slow", provider.host), spec)
    stage.wait_condition("smtprelay/stale", "Ready", "True")
    provider.behave(rcpt="451 4.3.2 Please come back later")
    sent = stage.accepted(Mail("stale"), "stale")
    took = stage.wait_condition("smtprelay/stale", "Delivering", "False", "NotDelivering", seconds=40)
    stage.wait_condition("smtprelay/stale", "Ready", "False", "NotDelivering", seconds=5)
    told = stage.condition("smtprelay/stale", "Ready")["message"]
    print(f"staleAfter 10 s: told after {took:.1f} s: {told}")
    assert took >= 9
    assert "451 4.3.2 Please come back later" in told
    provider.behave()
    provider.wait_subjects(sent, 15)
    again = stage.wait_condition("smtprelay/stale", "Ready", "True", "MailLeaves", seconds=15)
    print(f"Ready {again:.1f} s after it left")


def _parts(number: int, host: str) -> dict[str, resources.Resource]:
    relay, provider, credential = (f"{name}-{number}" for name in ("relay", "provider", "credential"))
    domain = f"order-{number}.example.com"
    return {
        "relay": resources.relay([provider], relay, aliases={"domains": [{"name": domain}]}),
        "provider": resources.provider(provider, host, secret=credential),
        "secret": resources.secret(credential, PASSWORD),
        "alias": resources.alias(f"alias-{number}", f"sales@{domain}", ["alice@example.net"], relay),
    }


def _conclusions(stage: Stage) -> dict[str, str]:
    """What kstatus concludes of everything that is there."""
    return concluded_of(stage, stage.get(KINDS)["items"])


def _watched(stage: Stage, seconds: float) -> set[str]:
    """Everything that kstatus concludes in this time."""
    until, seen = time.monotonic() + seconds, set[str]()
    while time.monotonic() < until:
        seen |= set(_conclusions(stage).values())
        time.sleep(0.5)
    return seen
