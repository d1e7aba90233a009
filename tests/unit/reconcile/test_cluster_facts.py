"""What the cluster serves beside Kubernetes is looked up for the kind itself, and again when it may have changed."""

import pytest

from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.facts import AGE, ClusterFacts
from mailhaul_operator.wire.kinds import Kind
from mailhaul_operator.wire.refused import Refusal, Refused


class Server:
    """Serves these, given as `version/plural`, or answers every question with a refusal."""

    def __init__(self, *served: str) -> None:
        self.served = set(served)
        self.refusal: Refused | None = None
        self.asked = 0

    async def serves(self, kind: Kind) -> bool | Refused:
        self.asked += 1
        return self.refusal or f"{kind.api_version}/{kind.plural}" in self.served


V1, OLD = "external-secrets.io/v1/externalsecrets", "external-secrets.io/v1beta1/externalsecrets"


class Clock:
    now = 0.0


def _facts(server: Server, clock: type[Clock] = Clock) -> ClusterFacts:
    return ClusterFacts(server, Facts(image="relay:test"), lambda: clock.now)


@pytest.mark.parametrize(
    ("served", "version"),
    [((V1, OLD), "v1"), ((OLD,), "v1beta1"), (("external-secrets.io/v1/secretstores", OLD), "v1beta1"), ((), "")],
)
async def test_the_best_version_that_serves_the_kind_is_taken(served: tuple[str, ...], version: str) -> None:
    facts = _facts(Server(*served))
    await facts.look()
    assert facts.now.external_secrets == version


async def test_an_api_server_that_cannot_be_asked_changes_nothing() -> None:
    server = Server(V1, "monitoring.coreos.com/v1/servicemonitors")
    facts = _facts(server)
    await facts.look()
    server.refusal = Refused(Refusal.UNAVAILABLE, "gone")
    await facts.look()
    assert (facts.now.external_secrets, facts.now.service_monitors) == ("v1", True)


async def test_it_is_asked_again_when_the_answer_is_old_or_in_doubt() -> None:
    class Moving(Clock):
        pass

    server = Server()
    facts = _facts(server, Moving)
    await facts.wanted(wants=True)
    server.served = {OLD}
    assert (await facts.wanted(wants=True)).external_secrets == ""
    facts.doubt()
    assert (await facts.wanted(wants=False)).external_secrets == ""
    assert (await facts.wanted(wants=True)).external_secrets == "v1beta1"
    server.served = {V1}
    Moving.now += AGE
    assert (await facts.wanted(wants=True)).external_secrets == "v1"
