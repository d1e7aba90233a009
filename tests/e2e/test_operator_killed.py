"""Item 9: the operator killed at a random moment of its work, 50 times, during a storm of changes: what is wanted in
the end comes about, and the relays have noticed nothing. How it is killed: tests/support/e2e/killed_operator.py.
"""

import hashlib
import json
import random
import time
from typing import Any

import pytest
from tests.support.e2e import resources
from tests.support.e2e.killed_operator import KilledOperator, killed_operator
from tests.support.e2e.load import doubled, load, lost
from tests.support.e2e.release import Release
from tests.support.e2e.stage import ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KILLS = 50
SECONDS = 200
RUNNING = ("relay", "pair")
PAPER = ("paper-0", "paper-1", "paper-2")
"""Relays without pods: objects only."""


def test_an_operator_that_is_killed_50_times_converges(release: Release, stage: Stage) -> None:
    one, two = _world(stage)
    before = _identities(stage)
    with load(stage, "storm", pause=0.1) as sending:
        with killed_operator(release, KILLS) as victim:
            changes = _storm(stage, victim, (one, two))
            killed = victim.killed()
        began = time.monotonic()
        wanted = _last_word(stage, two)
        stage.until(lambda: _converged(stage, wanted), 60, lambda: _state(stage))
        took = time.monotonic() - began
        owed = sending.stop()
    stage.until(lambda: set(owed.accepted) <= _arrived(one, two), 30)
    arrived = [*one.subjects(), *two.subjects()]
    print(f"{killed} kills among {changes} changes; all as wanted {took:.1f} s after the last")
    print(f"{len(owed.accepted)} mails meanwhile, {owed.refused} attempts refused, longest gap {owed.gap:.1f} s")
    assert killed == KILLS
    assert (lost(owed, arrived), doubled(arrived)) == ([], 0)
    assert _identities(stage) == before


def _world(stage: Stage) -> tuple[ProviderPod, ProviderPod]:
    stage.app()
    one, two = stage.provider("one"), stage.provider("two")
    domains = {"domains": [{"name": "example.com"}]}
    stage.apply(resources.provider("provider", one.host))
    stage.apply(resources.relay(["provider"], aliases=domains), resources.relay(["provider"], "pair", replicas=2))
    for name in PAPER:
        stage.apply(resources.relay(["provider"], name, replicas=0))
    for name in RUNNING:
        stage.wait_condition(f"smtprelay/{name}", "Ready", "True")
    stage.until(lambda: all(stage.kubectl("get", "statefulset", name).code == 0 for name in PAPER), 20)
    return one, two


def _storm(stage: Stage, victim: KilledOperator, providers: tuple[ProviderPod, ProviderPod]) -> int:
    """Change this and that until every kill is done; gives how many changes there were."""
    chance, changes, began = random.Random(9), 0, time.monotonic()
    while victim.killed() is None:
        assert time.monotonic() - began < SECONDS, victim.log()[-3000:]
        _change(stage, chance, providers, changes)
        changes += 1
    print(f"{victim.kills} kills in {time.monotonic() - began:.0f} s")
    return changes


def _change(stage: Stage, chance: random.Random, providers: tuple[ProviderPod, ProviderPod], number: int) -> None:
    match chance.randrange(5):
        case 0:
            _set(stage, "upstream/provider", {"host": chance.choice(providers).host})
        case 1:
            _set(stage, f"smtprelay/{chance.choice((*RUNNING, *PAPER))}", {"limits": {"recipients": 10 + number % 200}})
        case 2:
            name = f"alias-{chance.randrange(3)}"
            stage.apply(resources.alias(name, f"{name}@example.com", [f"user-{number}@example.net"]))
        case 3:
            stage.kubectl("delete", "alias", f"alias-{chance.randrange(3)}", "--ignore-not-found", "--wait=false")
        case _:
            name = chance.choice(PAPER)
            what = chance.choice((f"configmap/{name}-mailhaul", f"service/{name}", f"statefulset/{name}"))
            stage.kubectl("delete", what, "--ignore-not-found", "--wait=false")


def _set(stage: Stage, what: str, spec: dict[str, Any]) -> None:
    stage.ask("patch", what, "--type=merge", "-p", json.dumps({"spec": spec}))


def _last_word(stage: Stage, provider: ProviderPod) -> dict[str, str]:
    """What is wanted in the end; gives words that each relay's configuration must hold."""
    _set(stage, "upstream/provider", {"host": provider.host})
    stage.apply(resources.alias("alias-0", "alias-0@example.com", ["in-the-end@example.net"]))
    stage.kubectl("delete", "alias", "alias-1", "alias-2", "--ignore-not-found")
    wanted = {name: f'"recipients":{300 + at}' for at, name in enumerate((*RUNNING, *PAPER))}
    for at, name in enumerate(wanted):
        _set(stage, f"smtprelay/{name}", {"limits": {"recipients": 300 + at}})
    return wanted


def _converged(stage: Stage, wanted: dict[str, str]) -> bool:
    if _missing(stage):
        return False
    maps = {one["metadata"]["name"]: one["data"] for one in stage.get("configmaps")["items"] if "data" in one}
    for name, words in wanted.items():
        text = maps.get(f"{name}-mailhaul", {}).get("relay.v1.json", "")
        found = stage.get(f"smtprelay/{name}")
        status = found["status"]
        if words not in text or f"two.{stage.namespace}" not in text:
            return False
        if status["observedGeneration"] != found["metadata"]["generation"]:
            return False
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        if name in RUNNING and (status["config"]["digest"], _ready(status)) != (digest, "True"):
            return False
    return (
        "in-the-end@example.net" in maps["relay-mailhaul"]["relay.v1.json"]
        and "user-" not in maps["relay-mailhaul"]["relay.v1.json"]
    )


def _missing(stage: Stage) -> list[str]:
    """Which Services and StatefulSets are not there, or are being deleted: the storm took some away."""
    made = stage.get("services,statefulsets")["items"]
    there = {f"{one['kind']}/{one['metadata']['name']}" for one in made if "deletionTimestamp" not in one["metadata"]}
    names = (*RUNNING, *PAPER)
    wanted = [f"{kind}/{name}" for name in names for kind in ("Service", "StatefulSet")]
    return [one for one in (*wanted, *(f"Service/{name}-pods" for name in names)) if one not in there]


def _ready(status: dict[str, Any]) -> str:
    by = {one["type"]: one["status"] for one in status["conditions"]}
    return "True" if by["Ready"] == by["ConfigApplied"] == "True" and "Reconciling" not in by else "False"


def _state(stage: Stage) -> str:
    return f"missing {_missing(stage)}\n{stage.ask('get', 'smtprelays,upstreams,aliases')}"


def _identities(stage: Stage) -> dict[str, tuple[str, int]]:
    pods = stage.get("pods", "-l", "app.kubernetes.io/name=mailhaul-relay")["items"]
    return {
        one["metadata"]["name"]: (one["metadata"]["uid"], one["status"]["containerStatuses"][0]["restartCount"])
        for one in pods
    }


def _arrived(*providers: ProviderPod) -> set[str]:
    return {subject for one in providers for subject in one.subjects()}
