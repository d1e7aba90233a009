"""A pod that the API server does not reach is reached by its node; other silence is the cluster's."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import ApiException

from mailhaul_operator.cluster import kube
from mailhaul_operator.cluster.forward import ForwardError

DROPPED = TimeoutError("Read timed out")
POLICY = json.dumps({"kind": "Status", "message": "error trying to reach service: dial tcp 10.0.0.7:9090: i/o timeout"})
RIGHT = json.dumps({"kind": "Status", "message": 'pods "relay-0" is forbidden: User "me" cannot get "pods/proxy"'})
SICK = json.dumps({"error": "the disk refuses writes"})


class Api:
    """In place of the client: what goes through the proxy is answered alike."""

    def __init__(self, answer: tuple[int, str] | Exception) -> None:
        self.answer, self.asked = answer, list[str]()

    def param_serialize(self, method: str, path: str, **_: object) -> tuple[str, str]:
        return method, path

    def call_api(self, method: str, path: str, **_: object) -> Any:  # noqa: ANN401 - the client's own answer
        self.asked.append(f"{method} {path.partition('/proxy')[2]}")
        if isinstance(self.answer, Exception):
            raise self.answer
        status, content = self.answer
        return SimpleNamespace(status=status, read=content.encode)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, str] | Exception], tuple[kube.Kube, Api, list[str]]]:
    """A connection whose proxy answers so, and what is asked by way of the node."""
    forwarded: list[str] = []

    @contextmanager
    def answered(
        api: object,
        pod: tuple[str, str],
        request: tuple[str, str],
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Iterator[Any]:
        forwarded.append(f"{'/'.join(pod)} {' '.join(request)} {headers['X-Mailhaul-Token']} {body!r}")
        content = BytesIO(b'{"done": 1}')
        yield SimpleNamespace(status=200, read=content.read)

    monkeypatch.setattr(kube, "answered", answered)

    def make(answer: tuple[int, str] | Exception) -> tuple[kube.Kube, Api, list[str]]:
        connection = kube.Kube.__new__(kube.Kube)
        api = Api(answer)
        connection.__dict__.update(_api=api, _failures=(ApiException, TimeoutError), _shut={})
        return connection, api, forwarded

    return make


@pytest.mark.parametrize(
    "answer",
    [DROPPED, (503, POLICY), (503, "Error trying to reach service: 'EOF'"), (403, RIGHT)],
    ids=["dropped by a policy", "refused by a policy", "the same as text", "no right to the proxy"],
)
def test_a_pod_that_the_api_server_does_not_reach_is_reached_by_its_node(
    made: Callable[..., tuple[kube.Kube, Api, list[str]]], answer: tuple[int, str] | Exception
) -> None:
    connection, api, forwarded = made(answer)
    assert connection.pod("smtp", "relay-0", "/v1/queue/hold", "secret", {"a": 1}) == {"done": 1}
    pieces: list[bytes] = []
    connection.pod_bytes("smtp", "relay-0", "/v1/queue/a/raw", "secret", pieces.append)
    assert pieces == [b'{"done": 1}']
    assert api.asked == ["GET /healthz"], "it is tried once, and no order is sent twice"
    assert forwarded == [
        """smtp/relay-0 POST /v1/queue/hold secret b'{"a": 1}'""",
        "smtp/relay-0 GET /v1/queue/a/raw secret None",
    ]


def test_a_pod_that_is_reached_and_sick_speaks_for_itself(
    made: Callable[..., tuple[kube.Kube, Api, list[str]]],
) -> None:
    connection, _, forwarded = made((503, SICK))
    with pytest.raises(kube.KubeError, match=r"^the disk refuses writes$"):
        connection.pod("smtp", "relay-0", "/v1/report", "secret")
    assert forwarded == []


def test_a_pod_that_is_reached_in_no_way_is_told_with_a_remedy(
    made: Callable[..., tuple[kube.Kube, Api, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise ForwardError("port-forward to pod smtp/relay-0 was refused: Forbidden")

    monkeypatch.setattr(kube, "answered", refused)
    connection, _, _ = made(DROPPED)
    with pytest.raises(kube.KubeError, match=r"was refused: Forbidden; .*you need the right to one of them"):
        connection.pod("smtp", "relay-0", "/v1/report", "secret")


def test_a_cluster_out_of_reach_is_told_as_such() -> None:
    words, _ = kube._words(DROPPED, "/api/v1/namespaces/smtp/pods")
    assert words == "the cluster does not answer: Read timed out; check the network and `kubectl cluster-info`"
