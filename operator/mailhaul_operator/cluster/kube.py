"""The API server as this person reaches it: kubeconfig and context, lists, one object, and a pod's HTTP port: by the
API server's proxy, or by `forward` where that does not get through, as when a NetworkPolicy keeps the API server out.

Used by `status`, `send_test` and `mail.pods`. The official client is imported here only, for it takes half a second and
belongs to the extra `operator`. Failures: `KubeError`, whose words name cause and remedy.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from mailhaul_contract.names import GROUP, HTTP_PORT, TOKEN_HEADER, VERSION
from mailhaul_operator.cluster.forward import ForwardError, answered
from mailhaul_operator.cluster.where import Where

REACHED_WITHIN: Final = 1.0
"""Seconds after which a pod that says nothing through the API server, asked four times, is reached in another way."""
SECONDS: Final = 20.0
_PIECE: Final = 65_536
_JSON: Final = {"Accept": "application/json", "Content-Type": "application/json"}
Object = dict[str, Any]
_PATHS: Final = {
    "smtprelays": f"/apis/{GROUP}/{VERSION}",
    "upstreamproviders": f"/apis/{GROUP}/{VERSION}",
    "mailaliases": f"/apis/{GROUP}/{VERSION}",
    "pods": "/api/v1",
    "secrets": "/api/v1",
}
_POD_REMEDY: Final = (
    "the pod may be starting: try again, `kubectl get pods` tells more; the way to it is pods/proxy, or else "
    "pods/portforward, and you need the right to one of them"
)


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
        self._shut: dict[tuple[str, str], bool] = {}
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
        """GET (or POST a body) at the report port of a relay's pod."""
        method, headers = "POST" if body is not None else "GET", {TOKEN_HEADER: token}
        if not self._is_shut(namespace, pod):
            return self._ask(method, _proxied(namespace, pod, path), headers=headers, body=body)
        sent = None if body is None else json.dumps(body).encode()
        try:
            with answered(self._api, (namespace, pod), (method, path), headers | _JSON, sent) as answer:
                return _document(answer.status, answer.read(), path)
        except ForwardError as error:
            raise KubeError(f"{error}; {_POD_REMEDY}") from None

    def pod_bytes(self, namespace: str, pod: str, path: str, token: str, write: Callable[[bytes], object]) -> None:
        """GET bytes at the report port of a relay's pod, piece by piece."""
        if self._is_shut(namespace, pod):
            self._forwarded_bytes((namespace, pod), path, token, write)
            return
        address = _proxied(namespace, pod, path)
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

    def _is_shut(self, namespace: str, pod: str) -> bool:
        """Whether the API server does not get through to a pod, asked once of each: an order is never sent twice."""
        key = namespace, pod
        if key not in self._shut:
            try:
                request = self._api.param_serialize(
                    "GET", _proxied(namespace, pod, "/healthz"), auth_settings=["BearerToken"]
                )
                answer = self._api.call_api(*request, _request_timeout=REACHED_WITHIN)
                self._shut[key] = _is_the_api_servers(answer.status, answer.read())
            except self._failures as error:
                status = getattr(error, "status", 0) or 0
                self._shut[key] = not status or _is_the_api_servers(int(status), getattr(error, "body", "") or "")
        return self._shut[key]

    def _forwarded_bytes(self, pod: tuple[str, str], path: str, token: str, write: Callable[[bytes], object]) -> None:
        try:
            with answered(self._api, pod, ("GET", path), {TOKEN_HEADER: token}) as answer:
                if answer.status >= 300:
                    raise KubeError(*_refusal(answer.status, answer.read(), path))
                while piece := answer.read(_PIECE):
                    write(piece)
        except ForwardError as error:
            raise KubeError(f"{error}; {_POD_REMEDY}") from None

    def _ask(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        sent = _JSON | (headers or {})
        try:
            request = self._api.param_serialize(
                method, path, query_params=query or [], header_params=sent, body=body, auth_settings=["BearerToken"]
            )
            answer = self._api.call_api(*request, _request_timeout=SECONDS)
            content = answer.read()
        except self._failures as error:
            raise KubeError(*_words(error, path)) from None
        return _document(answer.status, content, path)


def _proxied(namespace: str, pod: str, path: str) -> str:
    """A path of a pod's HTTP port, as the API server has it."""
    return f"/api/v1/namespaces/{namespace}/pods/{pod}:{HTTP_PORT}/proxy{path}"


def _is_the_api_servers(status: int, content: bytes | str) -> bool:
    """Whether an answer that should be a pod's says that the API server did not get there, or may not go."""
    if status < 400 or status == 404:  # a pod that is not there is in no other way
        return False
    try:
        return bool(json.loads(content).get("kind") == "Status")
    except (ValueError, AttributeError):
        said = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        return "error trying to reach service" in said.lower()


def _document(status: int, content: bytes, path: str) -> Object:
    if status >= 300:
        raise KubeError(*_refusal(status, content, path))
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
