"""A relay whose pods run, for tests of whole passes: each pod reports what a test wants, and no request is sent.

Used with `writable_server`, whose server makes no pods. Each pod reports the configuration that is in the ConfigMap,
so that a pass finds everything applied, but for what `reports` says of it.
"""

import copy
import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pytest
from tests.support.cluster_objects import made
from tests.support.writable_server import Operator, WritableServer

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.reconcile import relay as passes
from mailhaul_operator.reconcile.probes import Probes
from mailhaul_operator.wire.key import Key

RELAY = Key("SmtpRelay", "smtp", "one")
FULL: dict[str, Any] = {"draining": True, "accepting": False, "queue": {"deferred": 5}}
EMPTY: dict[str, Any] = {"draining": True, "accepting": False}


class RunningRelay(Operator):
    """An operator of the relay `one`. `reports` has fields of a pod's report that are other than in a good one, and
    `silent` is why no pod reports, "" when they do.
    """

    def __init__(self, server: WritableServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin as after a start; nothing that goes to a pod over HTTP is sent."""
        super().__init__(server)
        self.reports: dict[str, dict[str, Any]] = {}
        self.silent = ""
        monkeypatch.setattr(passes, "post_drain", _nothing)
        monkeypatch.setattr(Probes, "order", _never)
        monkeypatch.setattr(self.world.reporters, "fetch", self._fetch)
        monkeypatch.setattr(self.world.nudges, "nudge", _nothing)

    async def run(self, replicas: int = 1) -> None:
        """Make the relay, let its pods run, and look at them twice."""
        await self.settle()
        self.start(replicas)
        await self.later(5, times=2)

    def start(self, replicas: int) -> None:
        """Let the StatefulSet have that many pods, all ready."""
        workload = self.edited("StatefulSet", "one")
        numbers = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), replicas)
        workload["metadata"]["generation"] = 1
        workload["status"] = {**numbers, "observedGeneration": 1, "updateRevision": "r"}
        self.see(workload)
        for ordinal in range(replicas):
            self.world.put(_pod(f"one-{ordinal}"))

    async def later(self, seconds: float, times: int = 1) -> None:
        """Let time pass, and make a pass over everything after each such span."""
        for _ in range(times):
            self.now += seconds
            await self.all_again()

    def edited(self, kind: str, name: str) -> Any:  # noqa: ANN401 - any object
        """Give a copy of an object in its next version."""
        self.server.version += 1
        body = copy.deepcopy(self.server.objects[kind, "smtp", name])
        body["metadata"]["resourceVersion"] = str(self.server.version)
        return body

    def see(self, body: Any) -> None:  # noqa: ANN401 - any object
        """Let an object be so, and the watch bring it."""
        self.server.put(body)
        self.world.seen(copy.deepcopy(body))

    def lose(self, kind: str, name: str) -> None:
        """Delete an object, its pods left behind, and let the watch tell."""
        self.world.gone(copy.deepcopy(self.server.objects.pop((kind, "smtp", name))))

    def scale(self, replicas: int) -> None:
        """Let the relay want that many replicas."""
        body = self.edited("SmtpRelay", "one")
        body["metadata"]["generation"] += 1
        body["spec"]["replicas"] = replicas
        self.see(body)

    @property
    def replicas(self) -> int:
        """How many the StatefulSet wants."""
        wanted: int = self.server.objects["StatefulSet", "smtp", "one"]["spec"]["replicas"]
        return wanted

    async def _fetch(self, _: Key, pods: Iterable[PodView], *__: object) -> dict[str, RelayReport | Silence]:
        return {one.name: Silence(self.silent, self.now) if self.silent else self._report(one.name) for one in pods}

    def _report(self, pod: str) -> RelayReport:
        text = self.server.objects["ConfigMap", "smtp", "one-mailhaul"]["data"]["relay.v1.json"]
        config = json.loads(text)
        known = {
            "namespace": "smtp",
            "name": "one",
            "pid": 1,
            "started": self.now - 1000,
            "time": self.now,
            "digest": "sha256:" + hashlib.sha256(text.encode()).hexdigest(),
            "secretRevision": config.get("secretRevision", ""),
            "accepting": True,
            "lastDelivery": self.now - 50,
            "upstreams": [
                {"name": one["name"], "provider": one["provider"], "credential": "Proved"}
                for one in config.get("upstreams", ())
            ],
        }
        return RelayReport.from_json({**known, **self.reports.get(pod, {})})


def _pod(name: str) -> dict[str, Any]:
    body = made("Pod", name, "one", version=10)
    body["metadata"]["labels"]["controller-revision-hash"] = "r"
    body["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "one", "controller": True}]
    body["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    body["status"] = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    return body


async def _nothing(*_: object) -> str:
    return ""


async def _never(*_: object) -> float:
    return float("inf")
