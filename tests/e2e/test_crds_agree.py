"""The models and the API server give the same verdict on values at and beyond every edge, not only on chosen faults.

All cases go to the API server in one dry run. Null counts as absent on both sides.
"""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.cluster import Cluster
from tests.support.resource_edges import FIELDS, SPECS

from mailhaul_operator.manifests.kinds import OWN

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]


def test_both_sides_say_the_same_of_every_edge(cluster: Cluster, namespace: str) -> None:
    cases = {f"case-{number}": case for number, case in enumerate(_cases())}
    documents = {name: _document(name, *case) for name, case in cases.items()}
    served = _served(cluster, namespace, list(documents.values()))
    told = {name for name, document in documents.items() if _accepted(document)}
    only_server = [cases[name] for name in cases if name in served - told]
    only_models = [cases[name] for name in cases if name in told - served]
    assert not only_models, "refused by the API server alone"
    assert not only_server, "refused by the models alone"


def _cases() -> list[tuple[str, str, Any]]:
    return [(kind, path, value) for kind, path, values in FIELDS for value in values]


def _document(name: str, kind: str, path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    spec = json.loads(json.dumps(SPECS[kind]))
    if path.startswith("addresses/0/"):
        spec["addresses"] = [{"type": path.rpartition("/")[2], "value": value}]
    else:
        _put(spec, path.split("/"), value)
    head = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": kind.partition(" ")[0], "metadata": {"name": name}}
    return {**head, "spec": spec}


def _put(place: Any, steps: list[str], value: Any) -> None:  # noqa: ANN401 - any JSON value
    step, *rest = steps
    if isinstance(place, list) and not rest:
        place[:] = [value]
    elif isinstance(place, list):
        _put(place[0], rest, value)
    elif rest:
        _put(place.setdefault(step, [] if rest[0] == "0" else {}), rest, value)
    else:
        place[step] = value


def _served(cluster: Cluster, namespace: str, documents: list[dict[str, Any]]) -> set[str]:
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    arguments = ("create", "--dry-run=server", "--validate=ignore", "-n", namespace, "-o", "name", "-f", "-")
    answer = cluster.kubectl(*arguments, stdin=everything)
    return {line.rpartition("/")[2] for line in answer.out.splitlines()}


def _accepted(document: dict[str, Any]) -> bool:
    try:
        OWN[document["kind"]].from_json(document)
    except ValidationError:
        return False
    return True
