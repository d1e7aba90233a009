"""The kinds of the Kubernetes API that the operator reads or writes, and where each is served.

A fixed table in place of discovery: a start needs no round trips, and the least rights suffice. The one kind whose
version depends on the cluster is ExternalSecret (`in_version`). Used by `observe` and `effects`. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from mailhaul_contract.names import API_VERSION
from mailhaul_operator.api.definitions import DEFINITIONS

Body = dict[str, Any]
"""An object as the API server gives it, parsed from JSON."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind: `apps/v1`, `StatefulSet`, `statefulsets`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Give the path of a collection, an object or a subresource. Names are quoted: they come from resources."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        within = ("namespaces", namespace) if self.namespaced and namespace else ()
        parts = [quote(part, safe="") for part in (*within, self.plural, name, subresource) if part]
        return "/".join((root, *parts))

    def in_version(self, version: str) -> "Kind":
        """Give the same kind in another version of its group."""
        group = self.api_version.partition("/")[0]
        return replace(self, api_version=f"{group}/{version}")


EXTERNAL_SECRETS_GROUP = "external-secrets.io"
_KINDS = (
    *(Kind(API_VERSION, one.kind, one.plural) for one in DEFINITIONS),
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "Service", "services"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "Pod", "pods"),
    Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Kind("v1", "Namespace", "namespaces", namespaced=False),
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("apps/v1", "ReplicaSet", "replicasets"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False),
    Kind("events.k8s.io/v1", "Event", "events"),
    Kind("coordination.k8s.io/v1", "Lease", "leases"),
    Kind(f"{EXTERNAL_SECRETS_GROUP}/v1", "ExternalSecret", "externalsecrets"),
    Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors"),
    Kind("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules"),
)
KINDS = {one.kind: one for one in _KINDS}
"""Every kind by its name."""


def kind_of(body: Mapping[str, Any]) -> Kind:
    """Give the kind of an object in the version that it names. Raises KeyError for a kind that is not in the table."""
    known = KINDS[body["kind"]]
    version: str = body.get("apiVersion", known.api_version)
    return known if version == known.api_version else replace(known, api_version=version)
