"""What an operator wrote: its own count of requests, and the versions of the objects of a namespace."""

import json
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from tests.support.e2e.release import Release
from tests.support.e2e.stage import Stage

from mailhaul_contract.names import GROUP

REQUESTS = "mailhaul_operator_api_requests"
WRITES = frozenset({"apply", "create", "delete", "patch"})
KINDS = (
    *("smtprelays", "upstreamproviders", "mailaliases", "configmaps", "secrets", "services", "serviceaccounts"),
    *("statefulsets", "deployments", "poddisruptionbudgets", "networkpolicies", "pods", "persistentvolumeclaims"),
)


def writes(release: Release) -> dict[tuple[str, str], int]:
    """How many writes the running operator has asked for since its start, by verb and kind."""
    path = f"/api/v1/namespaces/{release.namespace}/pods/{release.pod()}:9090/proxy/metrics"
    families = {one.name: one for one in text_string_to_metric_families(release.cluster.ask("get", "--raw", path))}
    found = {(one.labels["verb"], one.labels["kind"]): int(one.value) for one in families[REQUESTS].samples}
    return {key: count for key, count in found.items() if key[0] in WRITES}


def grown(before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """What was written between two counts."""
    return {key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key, 0)}


def versions(stage: Stage) -> dict[str, str]:
    """The resourceVersion of every object of the kinds that the operator makes or writes to, and of its own."""
    found = json.loads(stage.ask("get", ",".join(KINDS), "-o", "json"))["items"]
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}


def events(stage: Stage) -> dict[str, str]:
    """The resourceVersion of every event that tells of our three kinds."""
    found = json.loads(stage.ask("get", "events.events.k8s.io", "-o", "json"))["items"]
    ours = [one for one in found if one.get("regarding", {}).get("apiVersion", "").startswith(f"{GROUP}/")]
    return {
        f"Event/{one['metadata']['name']} {one['reason']}: {one.get('note', '')}": one["metadata"]["resourceVersion"]
        for one in ours
    }


def leads(release: Release, pod: str) -> bool:
    """Whether a pod of the operator is the one that acts, by its own word."""
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}:8080/proxy/healthz"
    return release.cluster.kubectl("get", "--raw", path).out.startswith("leading")
