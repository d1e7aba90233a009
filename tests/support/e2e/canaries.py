"""Item 13: whether a credential that was used can be read anywhere but in a Secret.

What is looked for: every value of every Secret of the namespaces that are searched, as it is then, and every password
that tests made (`remember`). Where: what Mailhaul makes and writes, which is its resources with their statuses, the
objects that it made for them, all ConfigMaps, Events and ExternalSecrets, there and in the operator's namespace, the
logs of relays and of the operator, and their metrics. Stages are searched when their module ends; a test with a
namespace of its own calls `search` before it goes, and who deletes a pod of ours has its log kept before (`hear`).
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from tests.support.cluster import Cluster

LEAST = 8
"""Shorter values (`wrong`, `first`) are words of any text."""
PUBLIC = ("username", "user", "host", "tls.crt", "ca.crt", "revision", "since")
"""Ends of the keys that hold no secret."""
MADE = (
    *("services", "serviceaccounts", "statefulsets", "deployments", "controllerrevisions", "pods"),
    *("networkpolicies", "poddisruptionbudgets"),
)
TOLD = ("smtprelays", "upstreamproviders", "mailaliases", "configmaps", "events", "events.events.k8s.io")
ASKED_AT_ONCE = 6
LOG = "log of "
"""How the place of what a pod said begins."""
EXTERNAL = "externalsecrets.external-secrets.io"
"""Not every cluster serves it."""
HELMS_OWN = "helm.sh/release.v1"
"""The type of the Secrets in which helm keeps the chart."""
OURS = "app.kubernetes.io/managed-by=mailhaul"
RELAYS = "app.kubernetes.io/name=mailhaul-relay"
OPERATOR = "app.kubernetes.io/name=mailhaul-operator"


@dataclass
class Searched:
    """What this process looked for, and through: `namespaces`, of which those of stages are `staged`, and the `modules`
    that had a stage.
    """

    values: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    staged: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    heard: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    places: int = 0
    logs: int = 0
    characters: int = 0


SEARCHED = Searched()


def remember(value: str) -> str:
    """Take note of a secret, so that it is looked for from now on; gives it back."""
    if len(value) >= LEAST:
        SEARCHED.values.add(value)
    return value


@lru_cache(maxsize=4096)
def forms(value: str) -> Mapping[str, str]:
    """The value as it may stand in a text, each form by its name."""
    raw = value.encode()
    found = {"plain": value, "JSON": json.dumps(value)[1:-1], "URL": quote(value, safe=""), "hex": raw.hex()}
    found["repr"] = repr(raw)[2:-1]
    found["SHA-256"] = hashlib.sha256(raw).hexdigest()
    for before in range(3):
        # The characters at both ends depend on what stands beside the value.
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        whole = (before + len(raw)) % 3 == 0
        found[f"base64 at {before}"] = encoded[(0, 2, 3)[before] : None if whole else -1]
    return found


def leaks(text: str, values: Iterable[str]) -> Iterator[str]:
    """Name the forms in which a text holds one of the values, with what stands before it, and never the value."""
    for value in values:
        for form, written in forms(value).items():
            at = text.find(written)
            if at >= 0:
                yield f"{form} form of a secret of {len(value)} characters after {text[max(0, at - 80) : at]!r}"


def hear(cluster: Cluster, namespace: str, *chosen: str) -> None:
    """Keep what pods have said that are about to go, for the next search of their namespace.

    They are chosen as for `kubectl get pods`: by name, or `-l` and a selector. One that is not there said nothing.
    """
    found = cluster.kubectl("get", "pods", "-n", namespace, *chosen, "-o", "json")
    if found.code == 0:
        body = json.loads(found.out)
        logs = [one for pod in body.get("items", [body]) for one in _logs(cluster, namespace, pod)]
        SEARCHED.heard.setdefault(namespace, []).extend(logs)


def search(cluster: Cluster, namespace: str, operator: str) -> list[str]:
    """Look through a namespace, and through the operator's own; gives every place that holds a secret."""
    SEARCHED.values |= set(_secrets(cluster, namespace))
    SEARCHED.namespaces.add(namespace)
    spaces = {namespace: (OURS, RELAYS), operator: (OPERATOR, OPERATOR)}
    found = []
    for place, text in _told_in(cluster, spaces):
        SEARCHED.places += 1
        SEARCHED.logs += bool(text) and LOG in place
        SEARCHED.characters += len(text)
        found += [f"{place}: {leak}" for leak in leaks(text, SEARCHED.values)]
    return found


def _told_in(cluster: Cluster, spaces: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Everything that is told in these namespaces, each with the labels of what is ours there, and of its pods.

    Asked side by side: each question is a process that mostly waits, and every module of the suite ends with this.
    """
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        lists = [pool.submit(_objects, cluster, space, made) for space, (made, _) in spaces.items()]
        lists += [pool.submit(_external, cluster, space) for space in spaces]
        pods = [pool.submit(_pods, cluster, space, programs) for space, (_, programs) in spaces.items()]
        said = [pool.submit(_program, cluster, pod) for found in pods for pod in found.result()]
        for one in (*lists, *said):
            yield from one.result()
    for space in spaces:
        yield from SEARCHED.heard.pop(space, [])


def _secrets(cluster: Cluster, namespace: str) -> Iterator[str]:
    for secret in cluster.get("secrets", "-n", namespace)["items"]:
        if secret["type"] == HELMS_OWN:
            continue
        for key, encoded in (secret.get("data") or {}).items():
            value = base64.b64decode(encoded).decode("utf-8", "replace").strip()
            if not key.lower().endswith(PUBLIC) and len(value) >= LEAST:
                yield value


def _objects(cluster: Cluster, namespace: str, made: str) -> list[tuple[str, str]]:
    items = [*cluster.get(",".join(TOLD), "-n", namespace)["items"]]
    items += cluster.get(",".join(MADE), "-l", made, "-n", namespace)["items"]
    return [_place(one) for one in items]


def _external(cluster: Cluster, namespace: str) -> list[tuple[str, str]]:
    served = cluster.kubectl("get", EXTERNAL, "-n", namespace, "-o", "json")
    return [_place(one) for one in json.loads(served.out)["items"]] if served.code == 0 else []


def _place(body: Mapping[str, Any]) -> tuple[str, str]:
    meta = body["metadata"]
    return f"{meta['namespace']} {body['kind']}/{meta['name']}", json.dumps(body, ensure_ascii=False)


def _pods(cluster: Cluster, namespace: str, selector: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = cluster.get("pods", "-n", namespace, "-l", selector)["items"]
    return found


def _program(cluster: Cluster, pod: Mapping[str, Any]) -> list[tuple[str, str]]:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    path = f"/api/v1/namespaces/{namespace}/pods/{name}:9090/proxy/metrics"
    pages = cluster.kubectl("get", "--raw", path).out
    return [*_logs(cluster, namespace, pod), (f"metrics of {name}", pages)]


def _logs(cluster: Cluster, namespace: str, pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    words = ("logs", "-n", namespace, pod["metadata"]["name"], "--tail=-1")
    statuses = pod["status"].get("containerStatuses", ())
    before = ("--previous",) if any(one.get("restartCount") for one in statuses) else ()
    for kind, more in ((LOG, ()), *((f"earlier {LOG}", (one,)) for one in before)):
        said = cluster.kubectl(*words, *more).out
        yield f"{kind}{pod['metadata']['name']}", said
