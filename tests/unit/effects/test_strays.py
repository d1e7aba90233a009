"""A replica that lost its labels gets them back; a pod that is somebody else's, or is going, is left alone."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, FakeServer

from mailhaul_operator.assess.view import PodView, WorkloadView
from mailhaul_operator.effects.strays import POD_NAME, take_back
from mailhaul_operator.plan.naming import relay_labels
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body, Kind

RELAY = Key("SmtpRelay", NAMESPACE, "one")
RUNS = WorkloadView(exists=True, wanted=1, observed=True)
OWN, OTHER = {"kind": "StatefulSet", "name": "one"}, {"kind": "StatefulSet", "name": "two"}
SEEN = PodView("one-0", 0, "10.0.0.1", ready=True, current=True, terminating=False, created=0)
SET = {POD_NAME: "one-0"}


class PatchedServer(FakeServer):
    def __init__(self, *objects: Body) -> None:
        super().__init__(*objects)
        self.patched: list[tuple[str, Any]] = []

    async def patch(self, kind: Kind, key: tuple[str, str], patch: Mapping[str, Any], subresource: str = "") -> Body:
        assert (kind.kind, subresource) == ("Pod", "status")
        self.patched.append((key[1], patch["metadata"]["labels"]))
        return {}


def pod(labels: dict[str, str], holder: dict[str, str] | None = None, **metadata: object) -> Body:
    owners = [{**holder, "uid": "1", "controller": True}] if holder else []
    head = {"name": "one-0", "namespace": NAMESPACE, "labels": labels, "ownerReferences": owners, **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": head}


def relabelled(**labels: str) -> dict[str, str]:
    return {**relay_labels("one"), **SET, **labels}


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (pod(SET), True),
        (pod(SET, OWN), True),
        (pod(relabelled(**{"mailhaul.dev/relay": "x"})), True),
        (pod(SET, OTHER), False),
        (pod({}), False),
        (pod(SET, deletionTimestamp="2026-11-21T12:00:00Z"), False),
        (pod(relabelled(), OWN), False),
    ],
    ids=["let go", "still held", "another value", "of another", "of nobody", "going", "on its way to the cache"],
)
async def test_whose_a_pod_is_decides(body: Body, taken: bool) -> None:
    server = PatchedServer(body)
    assert await take_back(server, RELAY, RUNS, ()) == taken  # type: ignore[arg-type]
    assert server.patched == ([("one-0", relay_labels("one"))] if taken else [])


@pytest.mark.parametrize(
    ("workload", "pods"),
    [
        (WorkloadView(), ()),
        (WorkloadView(exists=True, wanted=1, observed=False), ()),
        (RUNS, (SEEN,)),
    ],
    ids=["no workload", "not looked at yet", "all are seen"],
)
async def test_nothing_is_asked_while_nothing_is_missing(workload: WorkloadView, pods: tuple[PodView, ...]) -> None:
    server = PatchedServer(pod(SET))
    assert await take_back(server, RELAY, workload, pods) == 0  # type: ignore[arg-type]
    assert server.reads["Pod"] == 0
