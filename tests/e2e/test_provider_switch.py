"""Item 3: the provider of a relay is switched by one line, under load. No pod restarts, no mail is lost or doubled."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SWITCHED_WITHIN = 5.0
MAILS = 400
PAUSE = 0.03


def test_the_switch_takes_five_seconds_under_load_and_loses_and_doubles_nothing(stage: Stage) -> None:
    stage.app()
    old, new = stage.provider("old"), stage.provider("new")
    stage.apply(resources.provider("old", old.host), resources.provider("new", new.host))
    relay = resources.relay(["old"])
    relay["spec"]["upstreams"] = [{"name": "primary", "providerRef": {"name": "old"}}]
    stage.apply(relay)
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    pod = stage.identity("relay-0")
    stage.wait_door()

    with ThreadPoolExecutor() as beside:
        sending = beside.submit(stage.send, Mail("load", count=MAILS, pause=PAUSE))
        stage.until(lambda: len(old.subjects()) > MAILS // 20, 60)
        line = [{"op": "replace", "path": "/spec/upstreams/0/providerRef/name", "value": "new"}]
        switched = time.time()
        stage.ask("patch", "smtprelay", "relay", "--type=json", "-p", json.dumps(line))
        sent = sending.result()

    assert len(sent.accepted) == MAILS, [one for one in sent.answers if one[1] != 250][:3]
    stage.until(lambda: len(old.subjects()) + len(new.subjects()) >= MAILS, 30)
    time.sleep(6)  # a double would come with the next retry
    assert sorted((*old.subjects(), *new.subjects())) == sorted(sent.accepted)
    first = new.mails()[0]["time"] - switched
    print(f"first mail through the new provider {first:.2f} s after the switch")
    print(f"{len(old.subjects())} mails by the old one, {len(new.subjects())} by the new one, {MAILS} sent")
    assert first <= SWITCHED_WITHIN
    assert stage.identity("relay-0") == pod
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves", seconds=20)
