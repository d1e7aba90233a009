"""A real API server refuses every bad manifest with the expected words, and bad updates of good ones too."""

import json

import pytest
from tests.support.cluster import Answer, Cluster
from tests.support.refused_manifests import RefusedManifest, refused_manifests

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]


@pytest.mark.parametrize("manifest", refused_manifests(), ids=lambda one: one.name)
def test_the_api_server_refuses_it_with_the_expected_words(
    cluster: Cluster, namespace: str, manifest: RefusedManifest
) -> None:
    answer = _update(cluster, namespace, manifest) if manifest.is_update else _create(cluster, namespace, manifest)
    assert answer.code != 0, "accepted"
    assert manifest.server in answer.err, answer.err


def _create(cluster: Cluster, namespace: str, manifest: RefusedManifest) -> Answer:
    bad = json.dumps(manifest.documents[0])
    return cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=bad)


def _update(cluster: Cluster, namespace: str, manifest: RefusedManifest) -> Answer:
    good, bad = (json.dumps(document) for document in manifest.documents)
    cluster.ask("create", "-n", namespace, "-f", "-", stdin=good)
    return cluster.kubectl("replace", "--dry-run=server", "-n", namespace, "-f", "-", stdin=bad)
