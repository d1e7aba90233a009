"""A pod's HTTP port by way of its own node, as `kubectl port-forward` goes: no NetworkPolicy keeps that out.

`kube` takes this way to a pod to which the API server does not get through. One connection for each request. Failures:
`ForwardError`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final

from mailhaul_contract.names import HTTP_PORT

SECONDS: Final = 20.0


class ForwardError(Exception):
    """The pod was not reached, or what answered there is no relay."""


@contextmanager
def answered(
    api: Any,  # noqa: ANN401 - the official client is imported in functions only
    pod: tuple[str, str],
    request: tuple[str, str],
    headers: Mapping[str, str],
    body: bytes | None = None,
) -> Iterator[HTTPResponse]:
    """Send a request (method and path) to a pod (namespace and name); gives the answer, to be read in here."""
    from kubernetes import client  # noqa: PLC0415 - slow, and only in the extra `operator`
    from kubernetes.stream import portforward  # noqa: PLC0415 - the same

    open_way = client.CoreV1Api(api).connect_get_namespaced_pod_portforward
    try:
        way = portforward(open_way, pod[1], pod[0], ports=str(HTTP_PORT))
    except client.ApiException as error:
        raise ForwardError(f"port-forward to pod {'/'.join(pod)} was refused: {error.reason}") from None
    try:
        # The name is that of a loopback address, as it is for who uses `kubectl port-forward`.
        connection = HTTPConnection("127.0.0.1", HTTP_PORT, timeout=SECONDS)
        connection.sock = way.socket(HTTP_PORT)
        connection.sock.settimeout(SECONDS)
        connection.request(*request, body=body, headers=dict(headers))
        yield connection.getresponse()
    except (OSError, HTTPException) as error:
        words = way.error(HTTP_PORT) or str(error) or type(error).__name__
        raise ForwardError(f"pod {'/'.join(pod)} does not answer on port {HTTP_PORT}: {words}") from None
    finally:
        way.close()
