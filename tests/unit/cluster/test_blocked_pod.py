"""A pod that the API server cannot reach is told with the ways out; other silence is the cluster's."""

import json

import pytest
from kubernetes.client import ApiException

from mailhaul_operator.cluster import kube

POD = "/api/v1/namespaces/smtp/pods/relay-0:9090/proxy/v1/report"
WAY_OUT = "`kubectl port-forward pod/POD 9090` and `mailhaul status --url http://127.0.0.1:9090`"
DROPPED = TimeoutError("Read timed out")


def _refused() -> ApiException:
    refused = ApiException(status=503)
    refused.body = json.dumps({"message": "dial tcp 10.0.0.7:9090: i/o timeout"})
    return refused


@pytest.mark.parametrize("error", [_refused(), DROPPED], ids=["refused by a policy", "dropped by a policy"])
def test_a_pod_out_of_reach_is_told_with_a_way_to_it(error: Exception) -> None:
    words, _ = kube._words(error, POD)
    assert words.startswith(f"{POD}: ")
    assert words.endswith(WAY_OUT)
    assert "timed out" in words or "i/o timeout" in words


def test_a_cluster_out_of_reach_is_told_as_such() -> None:
    words, _ = kube._words(DROPPED, "/api/v1/namespaces/smtp/pods")
    assert words == "the cluster does not answer: Read timed out; check the network and `kubectl cluster-info`"
