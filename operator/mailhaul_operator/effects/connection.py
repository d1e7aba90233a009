"""The official client's async dynamic client, connected: as a kubeconfig says or as a pod, without its slow habits.

Used by `api` alone. At the start over thousands of resources each of these habits took a share of the operator's CPU
that shows in a profile (docs/design/0029). Failures: `connect` raises; a refused request raises `Denied`.
"""

from collections.abc import Generator
from pathlib import Path
from typing import NoReturn, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from aiohttp import DummyCookieJar
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTResponse
from kubernetes.aio.config import load_incluster_config, load_kube_config
from kubernetes.aio.dynamic import DynamicClient

from mailhaul_operator.plan.naming import MANAGER

CONNECTIONS = 32
"""At most so many requests at once; the others wait for a connection."""


def proxy_of(host: str) -> str | None:
    """Give the proxy that the environment (`HTTPS_PROXY`, `NO_PROXY`) names for the URL of an API server, if any."""
    parts = urlsplit(host)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


class Denied(Exception):  # noqa: N818 - an answer, of which `_request` makes a value
    """The API server's answer that it did not do what was asked."""

    def __init__(self, status: int, body: object) -> None:
        self.status, self.body = status, body


class _Client(ApiClient):
    """The official client without what takes long: objects are JSON already and need not be copied as such; and the
    dynamic client formats a traceback for each `ApiException`, such as for everything that is not there.
    """

    def sanitize_for_serialization(self, obj: object) -> object:
        """Give what is JSON as it is."""
        return obj

    def response_deserialize(
        self,
        response_data: RESTResponse,
        response_types_map: object = None,  # noqa: ARG002 - the client's own
    ) -> NoReturn:
        """Raise what was answered; the dynamic client asks for this when it was no success."""
        raise Denied(response_data.status, response_data.data)


class _NoDiscovery:
    """In place of the client's discoverer, which reads the whole API at the start and keeps it in a file."""

    def __init__(self, _client: DynamicClient, _cache_file: str | None) -> None:
        pass

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()
        return self


async def connect(kubeconfig: Path | None) -> tuple[ApiClient, DynamicClient]:
    """Connect as a kubeconfig says, or as the pod's ServiceAccount. Raises ConfigException, OSError."""
    configuration = Configuration()
    if kubeconfig is None:
        load_incluster_config(configuration)
    else:
        await load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
    configuration.connection_pool_maxsize = CONNECTIONS
    # Left to itself, aiohttp reads the environment and looks for a .netrc in a thread, for every request.
    # And the API server sets no cookies, which it would look up for every request too.
    configuration.client_session_kwargs = {"trust_env": False, "cookie_jar": DummyCookieJar()}
    configuration.proxy = configuration.proxy or proxy_of(configuration.host)
    client = _Client(configuration)
    client.user_agent = f"{MANAGER}-operator"
    return client, await DynamicClient(client, discoverer=_NoDiscovery)
