"""The real kopf against an API server that takes a namespace's rights away: its watches end with a value, and no task
of ours with them; watches of what is left begin in the same process.
"""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import kopf
import pytest
import pytest_asyncio
from aiohttp import web
from kopf._core.reactor import processing, queueing

from mailhaul_operator.reconcile.scope import watched
from mailhaul_operator.serve import kopf_running
from mailhaul_operator.serve.kopf_running import WatchRefused

pytestmark = pytest.mark.integration

DEADLINE = 20.0
KOPFS = processing.process_resource_event, queueing.watcher
GROUP = "mailhaul.dev"
KINDS = {"smtprelays": "SmtpRelay", "upstreamproviders": "UpstreamProvider", "mailaliases": "MailAlias"}


class Seen:
    """Notes which objects were brought."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.more = asyncio.Event()

    def seen(self, body: dict[str, Any]) -> None:
        self.names.add(f"{body['metadata']['namespace']}/{body['metadata']['name']}")
        self.more.set()

    def gone(self, body: dict[str, Any]) -> None:
        raise AssertionError(f"nothing was deleted: {body}")

    async def has(self, names: set[str]) -> None:
        """Wait until just these are there."""
        while self.names != names:
            self.more.clear()
            await self.more.wait()


class ApiServer:
    """Serves our three kinds, with a relay in each namespace; those of `denied` are refused."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self._runner: web.AppRunner | None = None
        self.closing = asyncio.Event()

    async def open(self) -> int:
        """Listen; gives the port."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        self.closing.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        words = request.path.strip("/").split("/")
        if "namespaces" not in words:
            return web.json_response(self._discovery(words))
        namespace, plural = words[words.index("namespaces") + 1], words[-1]
        if namespace in self.denied:
            status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": f"forbidden in {namespace}"}
            return web.json_response(status, status=403)
        if "watch" in request.query:
            return await self._watch(request)
        items = [_relay(namespace)] if plural == "smtprelays" else []
        return web.json_response({"kind": "List", "metadata": {"resourceVersion": "5"}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Nothing happens, for half a second."""
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            async with asyncio.timeout(0.5):
                await self.closing.wait()
        except TimeoutError:
            with suppress(ConnectionError):
                await response.write_eof()
        return response

    @staticmethod
    def _discovery(words: list[str]) -> dict[str, Any]:
        version = {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}
        verbs = ["list", "watch"]
        core = {"namespaces": "Namespace", "events": "Event"}
        match words:
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                return {"groups": [{"name": GROUP, "versions": [version], "preferredVersion": version}]}
            case ["api", "v1"]:
                kinds, namespaced = core, False
            case ["apis", group, _] if group == GROUP:
                kinds, namespaced = KINDS, True
            case _:
                kinds, namespaced = {}, False
        found = [
            {"name": name, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": verbs}
            for name, kind in kinds.items()
        ]
        return {"kind": "APIResourceList", "resources": found}


def _relay(namespace: str) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": "relay", "uid": f"relay-{namespace}", "resourceVersion": "4"}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "SmtpRelay", "metadata": metadata, "spec": {}}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[ApiServer, int]]:
    made = ApiServer()
    yield made, await made.open()
    await made.close()


def _kubeconfig(folder: Path, port: int) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "it", "user": {"token": "none"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    (folder / "config").write_text(json.dumps(config))
    return folder / "config"


class Spoiled(Seen):
    """Cannot take what is in one namespace."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = asyncio.Event()

    def seen(self, body: dict[str, Any]) -> None:
        if body["metadata"]["namespace"] == "la":
            self.tried.set()
            raise ValueError("canary-words")
        super().seen(body)


async def test_an_object_that_cannot_be_taken_ends_no_watch_and_is_told_without_its_words(
    server: tuple[ApiServer, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, port = server
    monkeypatch.setenv("KUBECONFIG", "")
    scope = [one for one in watched(("la", "lb"), "") if one.kind.kind == "SmtpRelay"]
    to, stop = Spoiled(), asyncio.Event()
    config = _kubeconfig(tmp_path, port)
    async with asyncio.timeout(DEADLINE):
        watching = asyncio.create_task(kopf_running.watch(scope, to, ("la", "lb"), config, stop, lambda: None))
        await to.has({"lb/relay"})
        await to.tried.wait()
        assert not watching.done()
        stop.set()
        await watching
    assert "could not be taken" in caplog.text
    assert "canary-words" not in caplog.text
    now = processing.process_resource_event, queueing.watcher
    assert now == KOPFS, "others who embed kopf in this process get kopf's own"


async def test_a_namespace_that_is_refused_ends_the_watches_and_nothing_of_ours(
    server: tuple[ApiServer, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api, port = server
    monkeypatch.setenv("KUBECONFIG", "")  # kopf reads it from there; so it is put back afterwards
    settings = kopf_running._settings

    def impatient(in_namespaces: bool) -> kopf.OperatorSettings:
        made = settings(in_namespaces)
        made.networking.error_backoffs = [0.1]  # kopf tries a refused request for a minute
        return made

    monkeypatch.setattr(kopf_running, "_settings", impatient)
    config, to, began = _kubeconfig(tmp_path, port), Seen(), asyncio.Event()
    # Its other kinds are not served here, which is no fault.
    scope = [one for one in watched(("la", "lb"), "") if one.kind.kind in KINDS.values()]

    def watch(namespaces: tuple[str, ...], stop: asyncio.Event) -> "asyncio.Task[None]":
        began.clear()
        return asyncio.create_task(kopf_running.watch(scope, to, namespaces, config, stop, began.set))

    async with asyncio.timeout(DEADLINE):
        first = watch(("la", "lb"), asyncio.Event())
        await began.wait()
        ours = asyncio.create_task(asyncio.sleep(3600))  # as every pass does that begins while kopf runs
        await to.has({"la/relay", "lb/relay"})
        api.denied = {"lb"}
        with pytest.raises(WatchRefused, match="forbidden in lb"):
            await first
        assert not ours.done()
        to.names.clear()
        stop = asyncio.Event()
        second = watch(("la",), stop)
        await to.has({"la/relay"})
        stop.set()
        await second
        assert not ours.done()
    left = [one for one in asyncio.all_tasks() if one not in kopf_running.NotKopfs()]
    assert left == []
    ours.cancel()
    gc.collect()  # a task whose end nobody has heard of tells it when it is collected
    assert "never retrieved" not in caplog.text
