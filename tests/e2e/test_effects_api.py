"""The API server through `Api`: statuses, Events, nudges, lists in pages, a token that is renewed, refusals."""

import base64
import datetime
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
from kubernetes.aio.config import incluster_config
from tests.support.cluster import Cluster
from tests.support.effects_world import World, world

from mailhaul_operator.effects import api as effects_api
from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.events import Announcement, post
from mailhaul_operator.effects.pods import nudge
from mailhaul_operator.effects.status import write_status
from mailhaul_operator.observe.resources import seen
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import Refusal, Refused

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]
CONDITION = {
    "type": "Ready",
    "status": "False",
    "reason": "Progressing",
    "message": "words",
    "lastTransitionTime": "2026-11-21T14:00:00Z",
}


@pytest.fixture
async def relay(cluster: Cluster, namespace: str) -> AsyncIterator[World]:
    """A relay that nobody has reconciled."""
    async with world(cluster, namespace, "spoken-of") as made:
        await made.create()
        yield made


async def _owner(relay: World) -> tuple[Owner, Body]:
    found = seen(await relay.get("SmtpRelay"))
    return found.owner, found.status


async def test_a_status_is_written_when_it_differs_and_only_then(relay: World) -> None:
    owner, old = await _owner(relay)
    status = {"observedGeneration": 1, "conditions": [CONDITION]}
    written = await write_status(relay.api, owner, old, status)
    assert isinstance(written, dict)
    assert written["status"] == status
    owner, old = await _owner(relay)
    before = relay.api.writes
    assert await write_status(relay.api, owner, old, status) is None
    assert relay.api.writes == before


async def test_what_the_operator_does_not_know_goes_from_a_status(relay: World) -> None:
    owner, old = await _owner(relay)
    foreign = {**CONDITION, "type": "Stalled"}
    await write_status(relay.api, owner, old, {"conditions": [CONDITION, foreign], "replicas": 2})
    owner, old = await _owner(relay)
    written = await write_status(relay.api, owner, old, {"conditions": [CONDITION]})
    assert isinstance(written, dict)
    assert written["status"] == {"conditions": [CONDITION]}


async def test_a_status_never_lands_on_the_next_resource_of_the_name(relay: World) -> None:
    owner, old = await _owner(relay)
    other = Owner(owner.kind, owner.namespace, owner.name, "00000000-0000-0000-0000-000000000000")
    answer = await write_status(relay.api, other, old, {"replicas": 3})
    assert isinstance(answer, Refused)
    assert answer.kind in {Refusal.CONFLICT, Refusal.INVALID}
    assert (await _owner(relay))[1].get("replicas") != 3


async def test_an_event_is_shown_with_the_resource(relay: World, cluster: Cluster) -> None:
    owner, _ = await _owner(relay)
    told = Announcement("CredentialsRefused", "main: 535 5.7.8 refused; correct the password", warning=True)
    posted = await post(relay.api, owner, told, 1_795_269_600.5, "operator-0")
    assert isinstance(posted, dict), posted
    shown = cluster.ask("describe", "smtprelay", relay.name, "-n", relay.namespace)
    assert "CredentialsRefused" in shown
    assert "535 5.7.8 refused" in shown


async def test_a_nudge_changes_an_annotation_through_the_status_alone(relay: World) -> None:
    container = {"name": "a", "image": "localhost/mailhaul-absent:none", "imagePullPolicy": "Never"}
    metadata = {"name": "nudged", "namespace": relay.namespace}
    pod = await relay.api.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    )
    assert not isinstance(pod, Refused), pod
    answer = await nudge(relay.api, relay.namespace, "nudged", "sha256:abc")
    assert isinstance(answer, dict), answer
    assert (await relay.get("Pod", "nudged"))["metadata"]["annotations"]["mailhaul.dev/nudge"] == "sha256:abc"
    patch = {"spec": {"containers": [{**container, "image": "localhost/other:none"}]}}
    await relay.api.patch(KINDS["Pod"], (relay.namespace, "nudged"), patch, "status")
    assert (await relay.get("Pod", "nudged"))["spec"]["containers"][0]["image"] == container["image"]
    gone = await nudge(relay.api, relay.namespace, "absent", "sha256:abc")
    assert isinstance(gone, Refused)
    assert gone.kind is Refusal.NOT_FOUND


async def test_a_list_comes_in_pages_and_items_know_their_kind(relay: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects_api, "PAGE", 2)
    for number in range(5):
        metadata = {"name": f"paged-{number}", "namespace": relay.namespace, "labels": {"paged": "yes"}}
        await relay.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    relay.api.requests.clear()
    found = await relay.listed("ConfigMap", "paged=yes")
    assert [one["metadata"]["name"] for one in found] == [f"paged-{number}" for number in range(5)]
    assert {(one["apiVersion"], one["kind"]) for one in found} == {("v1", "ConfigMap")}
    assert relay.api.requests == {("list", "ConfigMap"): 3}
    assert relay.api.writes == 0


async def test_what_is_there_is_not_made_again_and_what_is_gone_not_deleted(relay: World) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "once", "namespace": relay.namespace}}
    first = await relay.api.create(body)
    assert isinstance(first, dict)
    again = await relay.api.create(body)
    assert isinstance(again, Refused)
    assert again.kind is Refusal.ALREADY_EXISTS
    other = {**first, "metadata": {**first["metadata"], "uid": "00000000-0000-0000-0000-000000000000"}}
    refused = await relay.api.delete(other)
    assert isinstance(refused, Refused)
    assert refused.kind is Refusal.CONFLICT
    assert not isinstance(await relay.api.delete(first), Refused)


async def test_a_kind_is_served_in_the_version_in_which_it_is(relay: World) -> None:
    ours = KINDS["SmtpRelay"]
    assert await relay.api.serves(ours) is True
    assert await relay.api.serves(ours.in_version("v7")) is False
    assert await relay.api.serves(replace(ours, plural="absent")) is False
    assert await relay.api.serves(KINDS["PrometheusRule"]) is False


async def test_values_of_a_refused_secret_are_in_no_message(relay: World) -> None:
    metadata = {"name": "refused", "namespace": relay.namespace}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": "canary-not-base64!"}}
    answer = await relay.api.apply(body)
    assert isinstance(answer, Refused)
    assert "canary" not in answer.message


class _Shifted(datetime.datetime):
    """A clock that a test moves."""

    ahead = datetime.timedelta()

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:  # noqa: ANN401 - as the base class
        return super().now(tz) + cls.ahead


def _address(cluster: Cluster, authority: Path) -> SplitResult:
    """Give where the API server is, and write the certificate of its authority."""
    config = json.loads(cluster.ask("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    known = config["clusters"][0]["cluster"]
    authority.write_bytes(base64.b64decode(known["certificate-authority-data"]))
    return urlsplit(str(known["server"]))


async def test_a_renewed_token_is_followed(
    relay: World, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a pod has it: files of a ServiceAccount, the token of which the kubelet replaces before it expires."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    server = _address(cluster, authority)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(server.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setattr(datetime, "datetime", _Shifted)  # the client asks the module for it
    good = cluster.ask("create", "token", "default", "-n", relay.namespace).strip()

    async def refusal(text: str, minutes: int) -> Refusal:
        token.write_text(text)
        monkeypatch.setattr(_Shifted, "ahead", datetime.timedelta(minutes=minutes))
        answer = await api.get(KINDS["ConfigMap"], relay.namespace, "any")
        assert isinstance(answer, Refused)
        return answer.kind

    token.write_text(good)
    api = await Api.open()
    try:
        assert await refusal(good, 0) is Refusal.FORBIDDEN
        assert await refusal("spoilt", 2) is Refusal.UNAUTHORIZED
        assert await refusal(good, 4) is Refusal.FORBIDDEN
        assert await refusal("", 6) is Refusal.UNAVAILABLE
        assert await refusal(good, 8) is Refusal.FORBIDDEN
    finally:
        await api.close()
