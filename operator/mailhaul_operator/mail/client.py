"""One relay process as these commands reach it over HTTP: blocking, bounded, and clear about what went wrong.

It follows no redirect and uses no proxy, so the token goes to nobody else. `target` makes it. Failures: `ClientError`,
whose text names the cause and the option that mends it.
"""

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from urllib.parse import quote, urlencode, urlsplit

TIMEOUT = 40.0
"""Seconds for one request; a little more than the relay gives itself."""
MAX_ANSWER = 64 * 1024 * 1024
_PIECE = 65_536
Query = dict[str, str]


class ClientError(Exception):
    """The relay could not be asked, or said no. `status` is that of its answer, 0 when there was none."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status


class Door(Protocol):
    """The HTTP side of one relay process. `pod` is its name in a cluster, "" elsewhere."""

    @property
    def pod(self) -> str:
        """The pod's name."""

    def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Ask for a document. Raises ClientError."""

    def post(self, path: str, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order. Raises ClientError."""

    def fetch(self, path: str, write: Callable[[bytes], object]) -> None:
        """Read bytes piece by piece. Raises ClientError; what was written by then is not the whole."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where a relay's HTTP side is, and the token that opens it ("" when none is known)."""

    host: str
    port: int
    token: str = field(default="", repr=False)
    tls: bool = False
    pod: str = ""

    @classmethod
    def at(cls, url: str, token: str) -> Self:
        """Parse `http://host:port`. Raises ClientError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ClientError("--url is no address; it must look like http://127.0.0.1:9090") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
            raise ClientError("--url must look like http://127.0.0.1:9090")
        if parts.username is not None or parts.password is not None:
            raise ClientError("--url must hold no credential; give the token with --token-file")
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if tls else 80), token, tls)

    @property
    def url(self) -> str:
        """The base address for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Ask for a document."""
        return self._ask("GET", with_query(path, query), b"")

    def post(self, path: str, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order."""
        return self._ask("POST", path, json.dumps(order).encode())

    def fetch(self, path: str, write: Callable[[bytes], object]) -> None:
        """Read bytes piece by piece."""
        connection = self._connection()
        try:
            connection.request("GET", path, headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                self._answer(response.status, response.read(_PIECE))
            while data := response.read(_PIECE):
                write(data)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClientError(self._unreachable(error)) from None
        finally:
            connection.close()

    def _ask(self, method: str, target: str, body: bytes) -> dict[str, Any]:
        connection = self._connection()
        try:
            connection.request(method, target, body or None, self._headers())
            response = connection.getresponse()
            content = response.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClientError(self._unreachable(error)) from None
        finally:
            connection.close()
        return self._answer(response.status, content)

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        return kind(self.host, self.port, timeout=TIMEOUT)

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})

    def _unreachable(self, error: Exception) -> str:
        """Never with the words of a ValueError: they may repeat the header with the token."""
        reason = "nothing listens there" if isinstance(error, ConnectionRefusedError) else type(error).__name__
        return (
            f"the relay at {self.url} cannot be reached ({reason}); is it running? "
            "Give its address with --url, or the ready file of `mailhaul up` with --ready-file"
        )

    def _answer(self, status: int, content: bytes) -> dict[str, Any]:
        if status == 401:
            given = "the token is wrong" if self.token else "no token was given"
            raise ClientError(
                f"the relay at {self.url} asks for its API token, and {given}; give the file with its api.token with "
                "--token-file, or set MAILHAUL_TOKEN",
                status,
            )
        try:
            document = json.loads(content) if len(content) <= MAX_ANSWER else None
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise ClientError(f"{self.url} answers {status} and no JSON: it is no relay; correct --url", status)
        if status != 200:
            raise ClientError(str(document.get("error", f"the relay answers {status}"))[:1000], status)
        return document


def with_query(path: str, query: Query | None) -> str:
    """Give a path with a query; fields that are empty are left out."""
    filled = {name: value for name, value in (query or {}).items() if value}
    return f"{path}?{urlencode(filled)}" if filled else path


def message_path(message_id: str, verb: str = "") -> str:
    """Give the path of one message, or of a command on it."""
    path = f"/v1/queue/{quote(message_id, safe='')}"
    return f"{path}/{verb}" if verb else path
