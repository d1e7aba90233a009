"""What tests read of a cluster without kubectl is what kubectl prints."""

import json
from pathlib import Path

import pytest
from tests.support.api_reads import reads_of
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("definitions")]

AS_KUBECTL = "--show-managed-fields=false"
"""Its default; and a word that only kubectl understands."""


@pytest.mark.parametrize(
    "words",
    [
        *("configmap/kube-root-ca.crt", "cm kube-root-ca.crt", "crd smtprelays.mailhaul.dev", "namespaces"),
        *("configmaps,serviceaccounts,smtprelays,upstreams,aliases", "configmaps,services -l none=here"),
        *("events,events.events.k8s.io", "statefulsets.apps", "namespace/default"),
    ],
)
def test_what_is_read_is_what_kubectl_prints(cluster: Cluster, namespace: str, words: str) -> None:
    asked = ("get", *words.split(), "-n", namespace, "-o", "json")
    answer = _read(cluster, *asked)
    assert answer is not None
    assert json.loads(answer) == json.loads(cluster.ask(*asked, AS_KUBECTL))


def test_what_is_not_there_is_left_to_kubectl_to_say(cluster: Cluster, namespace: str) -> None:
    asked = ("get", "smtprelay/none", "-n", namespace, "-o", "json")
    assert _read(cluster, *asked) is None
    answer = cluster.kubectl(*asked)
    assert (answer.code, answer.out) == (1, "")
    assert 'smtprelays.mailhaul.dev "none" not found' in answer.err
    assert _read(cluster, "get", "unheard-of", "-n", namespace, "-o", "json") is None


def _read(cluster: Cluster, *words: str) -> str | None:
    reads = reads_of(Path(cluster.environment["KUBECONFIG"]))
    if reads is None:
        pytest.skip("this kubeconfig logs in otherwise than by certificate or token: all is asked of kubectl")
    return reads.answer(words)
