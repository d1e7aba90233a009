"""Item 15: a relay that others than the cluster can reach is no open relay, and a client that hides behind its node is
refused and told of, with what to do.
"""

import json
from collections.abc import Iterator

import pytest
from tests.support.e2e import resources
from tests.support.e2e.canaries import search
from tests.support.e2e.release import Release
from tests.support.e2e.stage import PYTHON, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOLD_WITHIN = 15.0
TALK = """
import smtplib, sys
try:
    with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), timeout=10) as connection:
        connection.ehlo("client.example.com")
        connection.mail("app@example.com")
        code, words = connection.rcpt("user@example.net")
        print(code, words.decode())
except OSError as error:
    print(0, error)
"""


@pytest.fixture(scope="module")
def relay(stage: Stage) -> Stage:
    """A relay inside of the cluster, and an app."""
    stage.app()
    stage.apply(resources.provider("provider", stage.provider("provider").host), resources.relay(["provider"]))
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True")
    stage.until(lambda: _talk(stage, "app", _cluster_ip(stage)).startswith("250"), 20)
    return stage


@pytest.fixture(scope="module")
def node(release: Release) -> Iterator[Stage]:
    """A namespace with a program of the node itself: `node`, a pod in the node's network."""
    with release.cluster.namespace() as name:
        release.serve(name)
        stage = Stage(release.cluster, name, release.images.relay)
        command = [PYTHON, "-c", "import time; time.sleep(36000)"]
        main = {"name": "main", "image": stage.image, "imagePullPolicy": "IfNotPresent", "command": command}
        spec = {"hostNetwork": True, "terminationGracePeriodSeconds": 1, "containers": [main]}
        stage.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "node"}, "spec": spec})
        stage.ask("wait", "--for=condition=Ready", "pod/node", "--timeout=60s")
        yield stage
        assert search(release.cluster, name, release.namespace) == []


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
def test_an_exposed_relay_must_name_the_networks_of_its_clients(stage: Stage, kind: str) -> None:
    refused: dict[str, dict[str, object]] = {
        "clients.allowedNetworks": {"service": {"type": kind}},
        "open relay": {"service": {"type": kind}, "clients": {"allowedNetworks": ["0.0.0.0/0"]}},
        "externalTrafficPolicy Cluster hides clients": {
            "service": {"type": kind, "externalTrafficPolicy": "Cluster"},
            "clients": {"allowedNetworks": ["203.0.113.0/24"]},
        },
    }
    relay = resources.relay(["provider"], "open")
    for words, spec in refused.items():
        said = stage.kubectl("apply", "-f", "-", stdin=json.dumps({**relay, "spec": {**relay["spec"], **spec}}))
        assert said.code != 0
        assert words in said.err


def test_a_client_that_hides_behind_its_node_is_refused_and_told_of(relay: Stage, node: Stage) -> None:
    assert relay.condition("smtprelay/relay", "ClientIdentityLost") == {}
    said = _talk(node, "node", _cluster_ip(relay))
    assert said.startswith("550 5.7.1"), said
    assert "is a node or mesh address that hides the client" in said
    took = relay.wait_condition("smtprelay/relay", "ClientIdentityLost", "True", seconds=TOLD_WITHIN)
    told = relay.condition("smtprelay/relay", "ClientIdentityLost")["message"]
    assert "externalTrafficPolicy Local" in told
    assert "allowedNetworks" in told
    assert _talk(relay, "app", _cluster_ip(relay)).startswith("250")
    print(f"a client behind its node: refused, told after {took:.1f} s: {told}")

    address = said.split("relaying denied: ")[1].split()[0]
    named = {"allowedNetworks": ["10.0.0.0/8", f"{address}/32"]}
    relay.apply(resources.relay(["provider"], clients=named))
    took = relay.until(lambda: _talk(node, "node", _cluster_ip(relay)).startswith("250"), 20)
    print(f"trusted {took:.1f} s after {address} was named")


def test_a_node_port_lets_nobody_in_but_named_networks(relay: Stage, node: Stage) -> None:
    relay.apply(_exposed("203.0.113.0/24"))
    relay.until(lambda: _node_port(relay) > 0, 20)
    host, port = str(relay.get("pod", "relay-0")["status"]["hostIP"]), _node_port(relay)
    relay.until(lambda: _talk(relay, "app", host, port).startswith("550"), 20, lambda: _talk(relay, "app", host, port))
    stranger, hidden = _talk(relay, "app", host, port), _talk(node, "node", host, port)
    assert "add its network to spec.clients.allowedNetworks" in stranger
    assert "is a node or mesh address that hides the client" in hidden

    relay.apply(_exposed(f"{relay.get('pod', 'app')['status']['podIP']}/32"))
    relay.until(lambda: _talk(relay, "app", host, port).startswith("250"), 20, lambda: _talk(relay, "app", host, port))
    assert _talk(node, "node", host, port).startswith("550")
    print(f"node port: a stranger is told {stranger!r}, a client behind its node {hidden!r}")


def _exposed(network: str) -> resources.Resource:
    return resources.relay(["provider"], service={"type": "NodePort"}, clients={"allowedNetworks": [network]})


def _talk(stage: Stage, pod: str, host: str, port: int = 25) -> str:
    """The reply to a recipient elsewhere, as a pod gets it."""
    return stage.ask("exec", pod, "--", PYTHON, "-c", TALK, host, str(port)).strip()


def _cluster_ip(stage: Stage) -> str:
    return str(stage.get("service", "relay")["spec"]["clusterIP"])


def _node_port(stage: Stage) -> int:
    return int(stage.get("service", "relay")["spec"]["ports"][0].get("nodePort", 0))
