"""A change of the configuration that may let waiting mail leave wakes it; others leave it alone."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.memory_spool import MemorySpool
from tests.support.queueing import running

from mailhaul_relay.app.options import Addresses
from mailhaul_relay.app.relay import Relay, Stores, leads_elsewhere
from mailhaul_relay.smtpout.inbox import Inbox
from mailhaul_relay.telemetry.lines import LineWriter
from mailhaul_relay.telemetry.log import Log

DOMAINS = ["own.example"]
ROUTE = {"name": "one", "match": {"recipient_domains": ["x.example"]}, "upstreams": ["a"]}


@pytest.mark.parametrize(
    "change",
    [
        {"routes": [ROUTE]},
        {"delivery": {"suspended": True}},
        {"postmaster": "hostmaster@own.example"},
        {"aliases": {"domains": DOMAINS, "from_rewriting": "Never"}},
    ],
    ids=str,
)
def test_what_leads_mail_elsewhere_or_changes_its_sender_wakes_it(change: dict[str, Any]) -> None:
    before = running(aliases={"domains": DOMAINS}).config
    after = running(**({"aliases": {"domains": DOMAINS}} | change)).config
    assert leads_elsewhere(before, after)
    assert leads_elsewhere(after, before)


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"recipients": 7}},
        {
            "aliases": {
                "domains": DOMAINS,
                "entries": [
                    {"namespace": "n", "name": "a", "value": "a@own.example", "destinations": ["b@far.example"]},
                ],
            }
        },
    ],
    ids=str,
)
def test_what_says_nothing_of_waiting_mail_does_not_wake_it(change: dict[str, Any]) -> None:
    before = running(aliases={"domains": DOMAINS}).config
    assert not leads_elsewhere(before, running(**({"aliases": {"domains": DOMAINS}} | change)).config)


async def test_a_clock_that_was_set_back_wakes_all_that_waits(tmp_path: Path) -> None:
    relay = Relay(Stores(MemorySpool(), Inbox(tmp_path)), Addresses(), Log(lambda _: None), LineWriter())
    assert relay.scanner.on_set_back == relay.waker.wake
