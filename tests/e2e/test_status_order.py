"""kstatus and the order in which resources are applied; and mail that is accepted but does not leave is told."""

import itertools
import os
import time
from collections.abc import Sequence

import pytest
from tests.support.e2e import resources
from tests.support.e2e.kstatus import conclusions
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

APART = float(os.environ.get("MAILHAUL_E2E_APART", "5"))
"""Seconds between two applies."""
PASSWORD = "right-0d44ab"
NAMES = {"relay": "smtprelay/relay", "provider": "upstream/provider", "alias": "mailalias/alias"}
ORDERS = (("relay", "provider", "secret", "alias"), ("alias", "relay", "secret", "provider"))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_whatever_the_order_nothing_is_ever_failed_and_all_ends_current(stage: Stage, order: Sequence[str]) -> None:
    if not stage.exists("pod/source"):
        stage.provider("source", auth=(resources.USER, PASSWORD))
    parts = _parts(f"source.{stage.namespace}.svc.cluster.local")
    began, seen = time.monotonic(), set[str]()
    for at, one in enumerate(order):
        stage.apply(parts[one])
        applied = [NAMES[name] for name in order[: at + 1] if name in NAMES]
        seen |= _watched(stage, applied, APART if at < len(order) - 1 else 0)
    everything = list(NAMES.values())
    while seen_now := set(conclusions(stage, *everything).values()) - {"Current"}:
        assert time.monotonic() - began < 90, stage.ask("get", "smtprelays,upstreams,aliases")
        seen |= seen_now
        time.sleep(0.3)
    print(f"{' '.join(order)}, {APART:.0f} s apart: all Current after {time.monotonic() - began:.1f} s; saw {seen}")
    assert "Failed" not in seen
    stage.ask("delete", *everything, "secret/credential", "--timeout=60s")


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


def _parts(host: str) -> dict[str, resources.Resource]:
    return {
        "relay": resources.relay(["provider"], aliases={"domains": [{"name": "example.com"}]}),
        "provider": resources.provider("provider", host, secret="credential"),
        "secret": resources.secret("credential", PASSWORD),
        "alias": resources.alias("alias", "sales@example.com", ["alice@example.net"]),
    }


def _watched(stage: Stage, names: Sequence[str], seconds: float) -> set[str]:
    """Everything that kstatus concludes in this time."""
    until, seen = time.monotonic() + seconds, set[str]()
    for _ in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count()):
        seen |= set(conclusions(stage, *names).values()) if names else set()
        time.sleep(0.3)
    return seen
