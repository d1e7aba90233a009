"""The API server as this person reaches it: kubeconfig and context, lists, one object, and a pod's HTTP port by proxy.

Used by `status`, `send_test` and `mail.pods`. The official client is imported here only, for it takes half a second and
belongs to the extra `operator`. Failures: `KubeError`, whose words name cause and remedy.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from mailhaul_contract.names import GROUP, HTTP_PORT, TOKEN_HEADER, VERSION
from mailhaul_operator.cluster.where import Where

SECONDS: Final = 20.0
_PIECE: Final = 65_536
Object = dict[str, Any]
_PATHS: Final = {
    "smtprelays": f"/apis/{GROUP}/{VERSION}",
    "upstreamproviders": f"/apis/{GROUP}/{VERSION}",
    "mailaliases": f"/apis/{GROUP}/{VERSION}",
    "pods": "/api/v1",
    "secrets": "/api/v1",
}
_POD_REMEDY: Final = (
    "the pod may be starting: try again; or a NetworkPolicy keeps the API server from the pod: let it in to port "
    f"{HTTP_PORT}, or `kubectl port-forward pod/POD {HTTP_PORT}` and `mailhaul status --url http://127.0.0.1:{HTTP_PORT}`"
)
"""Our own policy lets the operator's namespace in; a packet that is dropped shows as no answer, not as 503."""


class KubeError(Exception):
    """The cluster cannot be asked, or said no."""

    def __init__(self, words: str, code: int = 0) -> None:
        super().__init__(words)
        self.code = code


class Kube:
    """A connection to an API server. `namespace` is the one that commands mean when none is named."""

    def __init__(self, where: Where) -> None:
        client, config = _client()
        self._failures = (client.ApiException, _transport_error())
        path = str(where.kubeconfig) if where.kubeconfig else None
        try:
            contexts, active = config.list_kube_config_contexts(config_file=path)
            self._api = config.new_client_from_config(config_file=path, context=where.context or None)
        except (config.ConfigException, OSError, ValueError) as error:
            raise KubeError(f"no cluster is known: {error}; set KUBECONFIG, or name one with --context") from None
        chosen = next((one for one in contexts if one["name"] == where.context), active)
        self.context = str(chosen["name"])
        self.namespace = where.namespace or str(chosen["context"].get("namespace") or "default")

    def found(self, plural: str, namespace: str, selector: str = "") -> list[Object]:
        """Objects of a kind in a namespace, or in all when it is empty."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        query = [("labelSelector", selector)] if selector else []
        return list(self._ask("GET", f"{_PATHS[plural]}{scope}/{plural}", query)["items"])

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object; None when it is not there."""
        try:
            return self._ask("GET", f"{_PATHS[plural]}/namespaces/{namespace}/{plural}/{name}")
        except KubeError as error:
            if error.code == 404:
                return None
            raise

    def pod(self, namespace: str, pod: str, path: str, token: str, body: Object | None = None) -> Object:
        """GET (or POST a body) at the report port of a relay's pod, through the API server."""
        address = f"/api/v1/namespaces/{namespace}/pods/{pod}:{HTTP_PORT}/proxy{path}"
        return self._ask("POST" if body is not None else "GET", address, headers={TOKEN_HEADER: token}, body=body)

    def pod_bytes(self, namespace: str, pod: str, path: str, token: str, write: Callable[[bytes], object]) -> None:
        """GET bytes at the report port of a relay's pod, piece by piece."""
        address = f"/api/v1/namespaces/{namespace}/pods/{pod}:{HTTP_PORT}/proxy{path}"
        try:
            request = self._api.param_serialize(
                "GET", address, header_params={TOKEN_HEADER: token}, auth_settings=["BearerToken"]
            )
            answer = self._api.call_api(*request, _request_timeout=SECONDS)
            if answer.status >= 300:
                raise KubeError(*_refusal(answer.status, answer.read(), address))
            for piece in answer.response.stream(_PIECE):
                write(piece)
        except self._failures as error:
            raise KubeError(*_words(error, address)) from None

    def _ask(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        try:
            request = self._api.param_serialize(
                method, path, query_params=query or [], header_params=sent, body=body, auth_settings=["BearerToken"]
            )
            answer = self._api.call_api(*request, _request_timeout=SECONDS)
            content = answer.read()
        except self._failures as error:
            raise KubeError(*_words(error, path)) from None
        if answer.status >= 300:
            raise KubeError(*_refusal(answer.status, content, path))
        try:
            found = json.loads(content)
        except ValueError:
            raise KubeError(f"{path} answered something that is not JSON; is a proxy in between?") from None
        return found if isinstance(found, dict) else {"items": found}


def _client() -> tuple[Any, Any]:
    try:
        from kubernetes import client, config  # noqa: PLC0415 - slow, and only in the extra `operator`
    except ImportError:
        raise KubeError("the Kubernetes client is not installed; install mailhaul[operator]") from None
    return client, config


def _transport_error() -> type[Exception]:
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client

    return HTTPError


def _words(error: Exception, path: str) -> tuple[str, int]:
    status = getattr(error, "status", 0)
    if status:
        return _refusal(int(status), getattr(error, "body", "") or "", path)
    if "/proxy/" in path:
        return f"{path.partition('?')[0]}: no answer: {error}; {_POD_REMEDY}", 0
    return f"the cluster does not answer: {error}; check the network and `kubectl cluster-info`", 0


def _refusal(status: int, content: bytes | str, path: str) -> tuple[str, int]:
    try:
        found = json.loads(content)
        if isinstance(found.get("error"), str):  # a relay's own words, with their remedy
            return found["error"][:1000], status
        said = str(found.get("message") or found.get("detail") or content)
    except (ValueError, AttributeError):
        said = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    remedy = {
        401: "log in to the cluster again",
        403: "ask for this right; `kubectl auth can-i` tells what you have",
        404: "check name and namespace, and that Mailhaul's definitions are installed",
        503: _POD_REMEDY,
    }.get(status, "see what the words say")
    return f"{path.partition('?')[0]}: {status} {said[:500].strip()}; {remedy}", status
