"""Every golden manifest is accepted by a real API server, and its pods by the restricted profile, without a warning."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.golden.plan_objects.cases import CASES, manifests
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]
OF_OTHERS = {"ExternalSecret", "ServiceMonitor"}
"""Kinds of which this cluster may have no definition."""
PROFILE = "pod-security.kubernetes.io"


def _moved(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("case", CASES)
def test_the_api_server_takes_every_object_without_a_warning(cluster: Cluster, namespace: str, case: str) -> None:
    labels = [f"{PROFILE}/{mode}=restricted" for mode in ("enforce", "warn")]
    cluster.ask("label", "namespace", namespace, "--overwrite", *labels)
    items = [_moved(one, namespace) for one in manifests(case) if one["kind"] not in OF_OTHERS]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    answer = cluster.kubectl(
        "apply", "--server-side", "--field-manager=mailhaul", "--dry-run=server", "-f", "-", stdin=text
    )
    assert (answer.code, answer.err) == (0, "")
    assert len(answer.out.splitlines()) == len(items)
