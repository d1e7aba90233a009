"""Whole passes over a relay's workload: whose image runs, and what an apply that changes nothing leads to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.support.cluster_objects import provider, relay, secret
from tests.support.running_relay import RELAY, RunningRelay
from tests.support.writable_server import WritableServer

from mailhaul_operator.reconcile.pace import STEADY
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.refused import Refused

MIRRORED = "mirror.example/relay:test"


class MutatingServer(WritableServer):
    """Puts another image into every StatefulSet, as an admission webhook for a mirror does. A write that changes
    nothing then leaves the version as it is."""

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        found = self.objects.get((body["kind"], "smtp", body["metadata"]["name"]))
        if body["kind"] != "StatefulSet" or found is None:
            return await super().apply(body)
        self.written.append("apply StatefulSet one")
        return found


def resources(spec: Mapping[str, Any]) -> tuple[Body, ...]:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    return provider("main", "account"), relay("one", "main", spec=spec), account


def image(server: WritableServer) -> str:
    template = server.objects["StatefulSet", "smtp", "one"]["spec"]["template"]
    found: str = template["spec"]["containers"][0]["image"]
    return found


async def test_a_relay_that_is_upgraded_by_hand_keeps_its_image_when_its_statefulset_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator = RunningRelay(WritableServer(*resources({"upgradePolicy": "Manual"})), monkeypatch)
    await operator.run()
    operator.world.facts.now = replace(operator.world.facts.now, image="relay:newer")
    await operator.later(5)
    operator.lose("StatefulSet", "one")
    await operator.later(2, times=3)
    assert image(operator.server) == "relay:test"


async def test_what_admission_puts_in_place_of_ours_is_not_written_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator = RunningRelay(MutatingServer(*resources({})), monkeypatch)
    await operator.run()
    workload = operator.edited("StatefulSet", "one")
    workload["spec"]["template"]["spec"]["containers"][0]["image"] = MIRRORED
    operator.see(workload)
    await operator.later(5, times=2)
    operator.server.written.clear()
    await operator.later(5, times=3)
    assert operator.server.written == []
    assert operator.server.condition("SmtpRelay", "one") == ("True", "MailLeaves")
    conditions = operator.server.status("SmtpRelay", "one")["conditions"]
    assert "Reconciling" not in {one["type"] for one in conditions}
    assert operator.again[RELAY] == STEADY
