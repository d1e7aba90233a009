"""A relay's pod through the API server's proxy, with the real client: documents, orders, bytes, and refusals."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mailhaul_operator.cluster.kube import Kube, KubeError
from mailhaul_operator.cluster.where import Where

ROOT = "/api/v1/namespaces/smtp/pods/relay-0:9090/proxy"
LARGE = b"x" * 300_000


class _Server(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, str, bytes]]

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        return

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.asked.append((self.command, self.path, self.headers.get("X-Mailhaul-Token", ""), body))
        answers = {
            "/healthz": (200, b"ok"),
            "/v1/queue": (200, b'{"messages": []}'),
            "/v1/queue/hold": (200, b'{"done": 1}'),
            "/v1/queue/a": (404, b'{"error": "there is no such message"}'),
            "/v1/queue/a/raw": (200, LARGE),
            "/v1/queue/b/raw": (409, b'{"error": "busy"}'),
            "/v1/gone": (404, b'{"kind": "Status", "message": "pods \\"relay-0\\" not found"}'),
        }
        status, content = answers[self.path.removeprefix(ROOT).partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[tuple[Kube, list[tuple[str, str, str, bytes]]]]:
    _Server.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "smtp"}}],
        "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
    }
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    try:
        yield Kube(Where(kubeconfig=file)), _Server.asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_documents_orders_and_bytes_pass_with_the_relays_token(
    kube: tuple[Kube, list[tuple[str, str, str, bytes]]],
) -> None:
    api, asked = kube
    assert api.pod("smtp", "relay-0", "/v1/queue?state=held%2Cdead", "secret") == {"messages": []}
    assert api.pod("smtp", "relay-0", "/v1/queue/hold", "secret", {"states": ["held"]}) == {"done": 1}
    pieces: list[bytes] = []
    api.pod_bytes("smtp", "relay-0", "/v1/queue/a/raw", "secret", pieces.append)
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= 65_536
    assert [(verb, path.removeprefix(ROOT), token) for verb, path, token, _ in asked] == [
        ("GET", "/healthz", ""),
        ("GET", "/v1/queue?state=held%2Cdead", "secret"),
        ("POST", "/v1/queue/hold", "secret"),
        ("GET", "/v1/queue/a/raw", "secret"),
    ]
    assert json.loads(asked[2][3]) == {"states": ["held"]}


def test_a_relays_own_words_are_told_as_they_are(kube: tuple[Kube, list[tuple[str, str, str, bytes]]]) -> None:
    api, _ = kube
    with pytest.raises(KubeError, match=r"^there is no such message$") as refused:
        api.pod("smtp", "relay-0", "/v1/queue/a", "secret")
    assert refused.value.code == 404
    with pytest.raises(KubeError, match=r"^busy$"):
        api.pod_bytes("smtp", "relay-0", "/v1/queue/b/raw", "secret", lambda _: None)


def test_the_api_servers_words_come_with_a_remedy(kube: tuple[Kube, list[tuple[str, str, str, bytes]]]) -> None:
    api, _ = kube
    with pytest.raises(KubeError, match=r"relay-0.* not found; check name and namespace"):
        api.pod("smtp", "relay-0", "/v1/gone", "secret")
