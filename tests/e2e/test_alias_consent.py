"""A relay's domain in another namespace's aliases: refused in clear words until the relay consents, and again after."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e import resources
from tests.support.e2e.canaries import search
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ADDRESS, ALICE = "orders@example.com", "alice@example.net"
ALIAS = "mailalias/orders"
LABEL = {"mailhaul-test": "consent"}


@pytest.fixture(scope="module")
def provider(stage: Stage) -> ProviderPod:
    """A provider behind a relay that has a domain for aliases of its own namespace."""
    stage.app()
    provider = stage.provider("provider")
    aliases = {"domains": [{"name": "example.com"}]}
    stage.apply(resources.provider("provider", provider.host), resources.relay(["provider"], aliases=aliases))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    return provider


@pytest.fixture(scope="module")
def neighbour(cluster: Cluster, release: Release, stage: Stage) -> Iterator[Stage]:
    """Another namespace, with a label that a relay may name."""
    with cluster.namespace() as name:
        release.serve(name)
        cluster.ask("label", "namespace", name, *(f"{key}={value}" for key, value in LABEL.items()))
        yield Stage(cluster, name, stage.image)
        assert search(cluster, name, release.namespace) == []


def test_an_alias_of_another_namespace_is_taken_only_with_the_relays_consent(
    stage: Stage, provider: ProviderPod, neighbour: Stage
) -> None:
    alias = resources.alias("orders", ADDRESS, [ALICE])
    alias["spec"]["relayRef"]["namespace"] = stage.namespace
    neighbour.apply(alias)
    refused = neighbour.wait_condition(ALIAS, "Accepted", "False", "NamespaceNotAllowed", seconds=30)
    words = neighbour.condition(ALIAS, "Accepted")["message"]
    print(f"refused after {refused:.1f} s: {words}")
    assert f"relay {stage.namespace}/relay gives namespace {neighbour.namespace} no consent for example.com" in words
    assert "Remedy: widen `namespaces` of example.com in spec.aliases.domains of the SmtpRelay" in words
    assert neighbour.condition(ALIAS, "Ready")["status"] == "False"
    assert stage.condition("smtprelay/relay", "Ready")["status"] == "True"
    assert _answer(stage, "without consent") == 550

    _consent(stage, {"from": "Selector", "selector": {"matchLabels": LABEL}})
    took = neighbour.wait_condition(ALIAS, "Ready", "True", "Forwarding", seconds=30)
    print(f"taken {took:.1f} s after the consent")
    assert neighbour.condition(ALIAS, "Accepted")["status"] == "True"
    assert _answer(stage, "with consent") == 250
    provider.wait_subjects(["with consent 0"], 20)
    assert provider.mails()[0]["to"] == [ALICE]

    _consent(stage, {"from": "Same"})
    neighbour.wait_condition(ALIAS, "Accepted", "False", "NamespaceNotAllowed", seconds=30)
    stage.until(lambda: _answer(stage, "taken back") == 550, 30)


def _consent(stage: Stage, namespaces: dict[str, Any]) -> None:
    spec = {"spec": {"aliases": {"domains": [{"name": "example.com", "namespaces": namespaces}]}}}
    stage.ask("patch", "smtprelay/relay", "--type=merge", "-p", json.dumps(spec))


def _answer(stage: Stage, subject: str) -> int:
    stage.wait_door()
    ((_, code, _),) = stage.send(Mail(subject, recipients=(ADDRESS,))).answers
    return code
