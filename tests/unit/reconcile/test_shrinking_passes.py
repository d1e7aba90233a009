"""Whole passes over a relay that shrinks: no replica that may hold mail goes, whatever becomes of its StatefulSet."""

import copy

import pytest
from tests.support.cluster_objects import provider, relay, secret
from tests.support.running_relay import EMPTY, FULL, RELAY, RunningRelay
from tests.support.writable_server import WritableServer

from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.world import Who, World
from mailhaul_operator.wire.refused import Refusal, Refused


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> RunningRelay:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    server = WritableServer(provider("main", "account"), relay("one", "main", spec={"replicas": 2}), account)
    result = RunningRelay(server, monkeypatch)
    await result.run(replicas=2)
    result.reports["one-1"] = FULL
    return result


async def test_a_replica_that_holds_mail_stays_until_it_is_empty(running: RunningRelay) -> None:
    running.scale(1)
    await running.later(2, times=3)
    assert running.replicas == 2
    running.reports["one-1"] = EMPTY
    await running.later(2, times=3)
    assert running.replicas == 1


def _told(running: RunningRelay) -> dict[str, str]:
    conditions = running.server.objects["SmtpRelay", "smtp", "one"]["status"]["conditions"]
    return {one["type"]: f"{one['status']} {one['reason']}: {one['message']}" for one in conditions}


async def test_a_leaving_replica_whose_pod_is_away_is_told_until_its_mail_is_gone(running: RunningRelay) -> None:
    running.scale(1)
    await running.later(2, times=2)
    assert "one-1 still holds" in _told(running)["Ready"]
    (pod,) = [one for one in running.world.cache.heads("Pod") if one["metadata"]["name"] == "one-1"]
    running.world.remove(pod)
    await running.later(2, times=2)
    told = _told(running)
    assert "True ScalingDown: one-1 may still hold mail, and has no pod" in told["Reconciling"]
    assert "one-1 may still hold mail" in told["Ready"]
    assert running.replicas == 2
    running.start(2)
    running.reports["one-1"] = EMPTY
    await running.later(2, times=3)
    assert "ScalingDown" not in str(_told(running))
    assert running.replicas == 1


@pytest.mark.parametrize("passes", [1, 4])
async def test_a_statefulset_that_is_made_anew_keeps_the_replica_that_holds_mail(
    running: RunningRelay, passes: int
) -> None:
    running.scale(1)
    await running.later(2)
    running.lose("StatefulSet", "one")
    await running.later(2, times=passes)
    assert running.replicas == 2


async def test_a_restarted_operator_keeps_it_too_by_the_pods_that_were_left(running: RunningRelay) -> None:
    running.scale(1)
    await running.settle()
    pods = running.world.cache.pods(next(iter(running.world.cache.resources("SmtpRelay"))))
    del running.server.objects["StatefulSet", "smtp", "one"]
    queue, running.world = (
        running.wishes,
        World(
            running.server,  # type: ignore[arg-type]
            Facts(image="relay:test"),
            Who("operator-2"),
            lambda: running.now,
        ),
    )
    running.world.queue = queue
    for one in copy.deepcopy([*running.server.objects.values(), *pods]):
        if one["kind"] != "Secret":
            running.world.put(one)
    await running.all_again()
    assert running.replicas == 2


async def test_a_statefulset_that_somebody_scaled_down_is_scaled_back(running: RunningRelay) -> None:
    running.scale(1)
    await running.later(2)
    workload = running.edited("StatefulSet", "one")
    workload["spec"]["replicas"] = 1
    running.see(workload)
    await running.settle()
    assert running.replicas == 2


async def test_one_that_is_deleted_while_the_relay_shrinks_keeps_a_replica_whose_pod_is_away(
    running: RunningRelay,
) -> None:
    for one in running.world.cache.heads("Pod"):
        if one["metadata"]["name"] == "one-1":
            running.world.remove(one)
    running.world.gone(copy.deepcopy(running.server.objects.pop(("StatefulSet", "smtp", "one"))))
    running.scale(1)
    await running.settle()
    assert running.replicas == 2


async def test_what_a_deployment_had_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    spec = {"replicas": 3, "queue": {"mode": "Ephemeral"}}
    operator = RunningRelay(
        WritableServer(provider("main", "account"), relay("one", "main", spec=spec), account), monkeypatch
    )
    await operator.settle()
    await operator.later(5)
    operator.scale(1)
    await operator.later(5, times=2)
    body = operator.edited("SmtpRelay", "one")
    body["metadata"]["generation"] += 1
    body["spec"]["queue"]["mode"] = "Persistent"
    operator.see(body)
    await operator.settle()
    assert operator.replicas == 1


async def test_a_relay_that_becomes_persistent_keeps_its_deployment_until_the_statefulset_can_take_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    made = relay("one", "main", spec={"queue": {"mode": "Ephemeral"}})
    operator = RunningRelay(WritableServer(provider("main", "account"), made, account), monkeypatch)
    await operator.settle()
    body = operator.edited("SmtpRelay", "one")
    body["metadata"]["generation"] += 1
    body["spec"]["queue"]["mode"] = "Persistent"
    operator.see(body)
    await operator.settle()
    await operator.later(5, times=2)
    assert {"Deployment", "StatefulSet"} <= {kind for kind, _, _ in operator.server.objects}
    operator.start(1)
    await operator.later(5, times=2)
    assert "Deployment" not in {kind for kind, _, _ in operator.server.objects}


async def test_that_a_replica_was_empty_before_the_api_server_was_away_says_nothing_of_it_now(
    running: RunningRelay,
) -> None:
    running.reports["one-1"] = EMPTY
    running.scale(1)
    await running.later(2, times=2)
    last = running.world.memory.last(RELAY)
    assert last is not None
    assert (running.replicas, last.emptied) == (2, frozenset({1}))
    running.server.failure = Refused(Refusal.UNAVAILABLE, "the API server is away")
    await running.later(70, times=2)
    running.reports["one-1"] = {"queue": {"deferred": 5}}  # its container began anew, and took mail
    running.server.failure = None
    await running.later(2)
    assert running.replicas == 2
    running.reports["one-1"] = EMPTY
    await running.later(2, times=3)
    assert running.replicas == 1
