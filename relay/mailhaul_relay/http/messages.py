"""Requests and responses of the relay's own HTTP endpoints, as values.

`connection` makes requests and writes responses; handlers turn one into the other and never touch a socket.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

MAX_QUERY_FIELDS = 16


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is as it came, without query and never decoded; `headers` have lower-case names, of
    repeated ones the last; `parameter` is what stood in the place of the route's placeholder, "" where there is none;
    `peer` is the address that the connection came from.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    parameter: str = ""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `headers` are added to those that every response has (length, no-store, nosniff). A large one comes
    in `pieces`, without a length, and `body` stays empty.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    pieces: AsyncGenerator[bytes, None] | None = field(default=None, repr=False)


class BadRequestError(ValueError):
    """The request cannot be understood; the text is ours and may be shown to the client."""


def text(content: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Give a plain text response; a line feed is added."""
    return Response(status, f"{content}\n".encode(), headers=headers)


def to_json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON value
    """Give a JSON response."""
    return Response(status, json.dumps(value, ensure_ascii=False).encode() + b"\n", "application/json")


def problem(status: int, error: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Give an error as `{"error": "..."}`; the text names the cause and the remedy, and nothing of the inside."""
    body = json.dumps({"error": error}, ensure_ascii=False).encode() + b"\n"
    return Response(status, body, "application/json", headers)


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Give path and query of a request target in origin form or absolute form (RFC 9112 section 3.2).

    Raises BadRequestError for every other form, and for a query that is malformed or has too many fields.
    """
    if target[:7].lower() == "http://":
        _, slash, rest = target[7:].partition("/")
        target = slash + rest or "/"
    if not target.startswith("/"):
        raise BadRequestError("the request target must be a path that begins with /")
    path, _, query = target.partition("?")
    try:
        return path, dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict"))
    except ValueError:
        raise BadRequestError("the query is not valid, or has more than 16 fields") from None


def json_object(request: Request) -> dict[str, Any]:
    """Give the body as a JSON object; an empty body is an empty object. Raises BadRequestError."""
    if not request.body.strip():
        return {}
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadRequestError("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadRequestError("the body must be a JSON object")
    return value
