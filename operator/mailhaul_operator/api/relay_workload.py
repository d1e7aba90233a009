"""The parts of an SmtpRelay that only a cluster needs: Service, volume, upgrades, network policy, monitoring.

`mailhaul up` takes them and makes nothing of them. Where and with what the pods run is in `relay_pods`.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import ObjectName
from mailhaul_operator.api.amounts import Quantity
from mailhaul_operator.api.labels import OwnAnnotations
from mailhaul_operator.api.part import Part


class ServiceType(StrEnum):
    """From where a Service can be reached."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"


class ExternalTrafficPolicy(StrEnum):
    """Whether a Service keeps the addresses of clients from outside of the cluster."""

    LOCAL = "Local"
    CLUSTER = "Cluster"


class RelayService(Part):
    """The Service that apps send to. It has the relay's name."""

    type: ServiceType = ServiceType.CLUSTER_IP
    """ClusterIP is for this cluster only; NodePort and LoadBalancer open the relay to others, and need
    clients.allowedNetworks."""
    external_traffic_policy: ExternalTrafficPolicy = ExternalTrafficPolicy.LOCAL
    """For NodePort and LoadBalancer. Local keeps the addresses of clients; Cluster hides them behind those of nodes,
    and is for relays that trust nobody."""
    annotations: OwnAnnotations = Field(default_factory=dict)
    """Annotations of the Service, for the controllers of load balancers."""

    @property
    def exposed(self) -> bool:
        """Whether others than this cluster's pods may reach it."""
        return self.type is not ServiceType.CLUSTER_IP


class QueueMode(StrEnum):
    """Where mail lies that was accepted and has not left yet."""

    PERSISTENT = "Persistent"
    EPHEMERAL = "Ephemeral"


class WhenDeleted(StrEnum):
    """What becomes of the volumes when the relay is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class QueueStorage(Part):
    """The volume of each replica, for mode Persistent."""

    size: Annotated[int, Quantity("64Mi", "64Ti")] = 2_147_483_648
    """Size of the volume. It can only grow, where the storage class allows it."""
    storage_class_name: ObjectName | None = None
    """Name of the StorageClass; the cluster's default by default. Cannot be changed."""
    when_deleted: WhenDeleted = WhenDeleted.RETAIN
    """Whether the volumes, with the mail in them, stay when the relay is deleted: Retain or Delete."""


class RelayMonitoring(Part):
    """Objects for monitoring."""

    service_monitor: bool = False
    """Make a ServiceMonitor for the Prometheus operator, where the cluster serves them. Any namespace may then read
    the metrics."""


class RelayNetworkPolicy(Part):
    """The NetworkPolicy of the pods."""

    enabled: bool = True
    """Let in only what the relay is for: SMTP from clients, and the operator."""


class UpgradePolicy(StrEnum):
    """What a new operator does with relays that run."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"
