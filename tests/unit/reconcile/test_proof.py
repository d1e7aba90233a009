"""One relay probes a provider for all: its login proves that of another exactly when both use the same credential."""

import base64
from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, made, provider, relay

from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.plan.snapshot import Plan
from mailhaul_operator.reconcile.proof import Known, known_handles

NOON = "2026-11-21T12:00:00Z"
CREDENTIAL = {"provider.main.username": b"someone", "provider.main.password": b"canary-of-proof"}


def answering(
    revision: str = "r1", ready: str = "True", generation: int = 1, reason: str = "UpstreamAnswers"
) -> dict[str, Any]:
    """A provider that the relay `prober` has probed."""
    condition = {"type": "Ready", "status": ready, "reason": reason, "message": "535", "observedGeneration": 1}
    probe = {"time": NOON, "namespace": NAMESPACE, "relay": "prober", "generation": generation, "revision": revision}
    status = {"conditions": [{**condition, "lastTransitionTime": NOON}], "lastProbe": probe}
    return {**provider("main", "account"), "status": status}


def assembled(revision: str, **changed: bytes) -> dict[str, Any]:
    """The Secret of the relay that probed."""
    data = {"revision": revision.encode(), **CREDENTIAL, **changed}
    return made("Secret", "prober-mailhaul", "prober", data={k: base64.b64encode(v).decode() for k, v in data.items()})


def known(*bodies: dict[str, Any], name: str = "other", revision: str = "r2") -> Known:
    """What is known for the relay of that name, which has the credential under its own revision."""
    cache = Cache()
    for body in (relay("other", "main"), *bodies):
        cache.put(body)
    plan = Plan(NAMESPACE, name, None, b"", "", {"revision": revision.encode(), **CREDENTIAL})
    model = cache.relay(NAMESPACE, "other")
    assert model is not None
    return known_handles(cache, model, plan)


def proved(*bodies: dict[str, Any], name: str = "other", revision: str = "r2") -> bool:
    """Whether its upstream counts as proved."""
    return known(*bodies, name=name, revision=revision).proved == {"main"}


PROBER = relay("prober", "main")


def test_a_login_of_another_relay_with_the_same_credential_proves_ours() -> None:
    assert proved(PROBER, assembled("r1"), answering())


@pytest.mark.parametrize(
    "bodies",
    [
        (PROBER, assembled("r1", **{"provider.main.password": b"another"}), answering()),
        (PROBER, assembled("r1", **{"provider.main.username": b"another"}), answering()),
        (PROBER, assembled("r3"), answering()),
        (PROBER, assembled("r1"), answering(ready="False")),
        (PROBER, assembled("r1"), answering(generation=0)),
        (assembled("r1"), answering()),
        (PROBER, assembled("r1")),
    ],
    ids=["password", "user", "prober has changed", "fails", "other settings", "prober is gone", "never probed"],
)
def test_nothing_else_does(bodies: tuple[dict[str, Any], ...]) -> None:
    has_provider = any(one["kind"] == "UpstreamProvider" for one in bodies)
    assert not proved(*bodies, *(() if has_provider else (provider("main", "account"),)))


def test_what_the_status_says_stands_until_the_probers_secret_is_read_after_a_restart() -> None:
    assert proved(PROBER, answering())


def test_the_prober_itself_is_proved_by_its_own_revision_alone() -> None:
    assert proved(PROBER, answering("r2"), name="prober")
    assert not proved(PROBER, answering("r1"), name="prober")


def test_a_refused_login_of_another_relay_with_the_same_credential_is_told_to_ours() -> None:
    refused = answering(ready="False", reason="CredentialRefused")
    assert known(PROBER, assembled("r1"), refused).refuted["main"].message == "535"
    assert not known(PROBER, assembled("r1", **{"provider.main.password": b"another"}), refused).refuted
    assert not known(PROBER, assembled("r1"), answering(ready="False", reason="SecretMissing")).refuted
