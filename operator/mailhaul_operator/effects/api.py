"""`Api`: the one way to the API server. A thin, typed face on the official client's async dynamic client.

Below `apply`, `prune`, `status`, `events` and `pods`; `observe` reads through it as a `wire.refused.Reader`. Objects
are plain dicts: the client's own wrappers cost more than the requests. Every request has a deadline and is counted.
Failures are values (`Refused`); only `open` raises. The client reads an in-cluster token anew every minute, so a token
that the kubelet rotates is followed for as long as the process lives.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException
from kubernetes.aio.dynamic import DynamicClient
from pydantic_core import from_json

from mailhaul_operator.effects.connection import Denied, connect
from mailhaul_operator.plan.naming import MANAGER
from mailhaul_operator.wire.kinds import Body, Kind, kind_of
from mailhaul_operator.wire.objects import name_of
from mailhaul_operator.wire.refused import Refusal, Refused, refusal_of

DEADLINE = 15.0
"""Seconds for one request."""
PAGE = 100
"""Objects of one page of a list. What a page takes while it is parsed the heap keeps (docs/design/0029)."""
WRITES = frozenset({"apply", "create", "delete", "patch"})
_WRITTEN = WRITES - {"delete"}
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_STEPS = "application/json-patch+json"
_UNCHECKED = [("fieldValidation", "Ignore")]
"""Nobody reads warnings of unknown or doubled fields here, and for them the API server parses each body twice: a
twentieth of its CPU at the start (docs/design/0029). An apply of an unknown field is refused all the same.
"""
_LOST = (aiohttp.ClientError, OSError, ConfigException, ValueError)


class Api:
    """An open connection to an API server. `requests` counts what was asked, by verb and kind."""

    def __init__(self, client: ApiClient, dynamic: DynamicClient) -> None:
        """See `open`."""
        self._client, self._dynamic = client, dynamic
        self.requests: Counter[tuple[str, str]] = Counter()

    @classmethod
    async def open(cls, kubeconfig: Path | None = None) -> Self:
        """Connect as a kubeconfig says, or as the pod's ServiceAccount. Raises ConfigException, OSError."""
        return cls(*await connect(kubeconfig))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    @property
    def writes(self) -> int:
        """How many requests were to change something, whether they did or not."""
        return sum(count for (verb, _), count in self.requests.items() if verb in WRITES)

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | Refused:
        """Read one object."""
        return await self._request("get", kind, kind.path(namespace, name))

    async def list_all(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...] | Refused:
        """Read all objects of a kind, in one namespace or in all."""
        pages = [page async for page in self.pages(kind, namespace, selector)]
        refused = next((page for page in pages if isinstance(page, Refused)), None)
        return refused or tuple(one for page in pages if not isinstance(page, Refused) for one in page)

    async def pages(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> AsyncIterator[tuple[Body, ...] | Refused]:
        """Read them page by page; items get their kind and version, and lose their managed fields. A refusal is the
        last that comes.
        """
        following = ""
        while True:
            options = {"label_selector": selector or None, "limit": PAGE, "_continue": following or None}
            page = await self._request("list", kind, kind.path(namespace), **options)
            if isinstance(page, Refused):
                yield page
                return
            head = {"apiVersion": kind.api_version, "kind": kind.kind}
            yield tuple({**head, **_without_managers(one)} for one in page.get("items") or ())
            following = (page.get("metadata") or {}).get("continue", "")
            if not following:
                return

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        """Apply on the server, as the field manager `mailhaul`, taking over the fields that are ours."""
        kind, (namespace, name) = kind_of(body), name_of(body)
        options = {"content_type": _APPLY, "field_manager": MANAGER, "force_conflicts": True}
        return await self._request("apply", kind, kind.path(namespace, name), body=dict(body), **options)

    async def apply_absent(self, body: Mapping[str, Any]) -> Body | Refused:
        """Apply an object only while there is none of its name; `Conflict` when there is one, whosever it is.

        It names a version that no object has (the first of a cluster is larger), so nothing that is there fits.
        """
        return await self.apply({**body, "metadata": {**body["metadata"], "resourceVersion": "1"}})

    async def create(self, body: Mapping[str, Any]) -> Body | Refused:
        """Create an object that must not be there yet."""
        kind, (namespace, _) = kind_of(body), name_of(body)
        return await self._request("create", kind, kind.path(namespace), body=dict(body), field_manager=MANAGER)

    async def delete(self, body: Mapping[str, Any], *, orphan: bool = False) -> Body | Refused:
        """Delete just this object (by its uid), with what it owns or, with `orphan`, leaving that."""
        kind, (namespace, name) = kind_of(body), name_of(body)
        options: Body = {"propagationPolicy": "Orphan" if orphan else "Background"}
        uid = body["metadata"].get("uid")
        if uid:
            options["preconditions"] = {"uid": uid}
        return await self._request("delete", kind, kind.path(namespace, name), body=options)

    async def patch(
        self, kind: Kind, key: tuple[str, str], patch: Mapping[str, Any], subresource: str = ""
    ) -> Body | Refused:
        """Merge a patch (RFC 7386) into an object, given by namespace and name, or into a subresource of it."""
        path = kind.path(*key, subresource)
        return await self._request("patch", kind, path, body=dict(patch), content_type=_MERGE, field_manager=MANAGER)

    async def patch_steps(
        self, kind: Kind, key: tuple[str, str], steps: Sequence[Mapping[str, Any]], subresource: str = ""
    ) -> Body | Refused:
        """Change an object step by step, all or none of them (JSON patch, RFC 6902)."""
        path = kind.path(*key, subresource)
        return await self._request("patch", kind, path, body=list(steps), content_type=_STEPS, field_manager=MANAGER)

    async def serves(self, kind: Kind) -> bool | Refused:
        """Whether a kind is served in its version. That its group is tells nothing: other kinds of it may be."""
        answer = await self._request("discover", kind, f"/apis/{kind.api_version}")
        if isinstance(answer, Refused):
            return False if answer.kind is Refusal.NOT_FOUND else answer
        return any(one.get("name") == kind.plural for one in answer.get("resources") or ())

    async def _request(self, verb: str, kind: Kind, path: str, **options: Any) -> Body | Refused:  # noqa: ANN401
        self.requests[verb, kind.kind] += 1
        if verb in _WRITTEN:
            options["query_params"] = list(_UNCHECKED)
        try:
            async with asyncio.timeout(DEADLINE):
                answer = await self._dynamic.request(_METHODS[verb], path, serialize=False, **options)
                body = from_json(await answer.read())
        except TimeoutError:
            return Refused(Refusal.TIMEOUT, f"the API server gave no answer in {DEADLINE:g} s")
        except Denied as error:
            return refusal_of(error.status, _status(error.body), secret=kind.kind == "Secret")
        except _LOST as error:
            return Refused(Refusal.UNAVAILABLE, f"the API server cannot be asked ({type(error).__name__})")
        return body if isinstance(body, dict) else Refused(Refusal.UNAVAILABLE, "the API server's answer is no object")


_METHODS = {
    "get": "get",
    "list": "get",
    "discover": "get",
    "apply": "patch",
    "patch": "patch",
    "create": "post",
    "delete": "delete",
}


def _without_managers(item: Body) -> Body:
    """Drop who manages which field: half of an object, and thousands of them are in memory at once."""
    item["metadata"].pop("managedFields", None)
    return item


def _status(body: object) -> Mapping[str, Any]:
    """Give the `Status` in an answer; what is none becomes its message."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        found = from_json(text)
    except ValueError:
        return {"message": text}
    return found if isinstance(found, dict) else {"message": text}
