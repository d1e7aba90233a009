"""The parts of an SmtpRelay that say where and with what its pods run. A change of any of them restarts the pods.

A narrow set of a pod's fields, each rendered as it stands; what Kubernetes alone can judge (does the priority class
exist) it judges when the operator applies the workload.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from mailhaul_contract.base import ObjectName
from mailhaul_operator.api.amounts import Cores, Quantity
from mailhaul_operator.api.labels import LabelKey, LabelValue, OwnAnnotations, OwnLabels, WantedLabels
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.relay_affinity import Affinity
from mailhaul_operator.api.rules import Rule


class ResourceAmounts(Part):
    """Amounts of what a node has."""

    cpu: Annotated[int, Cores("1m", "256")] | None = None
    """Processors, such as 250m or 2."""
    memory: Annotated[int, Quantity("16Mi", "1Ti")] | None = None
    """Memory, such as 256Mi."""
    ephemeral_storage: Annotated[int, Quantity("1Mi", "64Ti")] | None = Field(None, alias="ephemeral-storage")
    """Disk space of the node; with queue.mode Ephemeral the queue lies there."""


def _within(name: str, text: str, attribute: str) -> Rule:
    """Make the rule that a request is not above its limit; `text` is the member in CEL."""

    def holds(resources: Any) -> bool:  # noqa: ANN401 - RelayResources, defined below
        request, limit = getattr(resources.requests, attribute), getattr(resources.limits, attribute)
        return request is None or limit is None or request <= limit

    return Rule(
        f"requests.{name} is above limits.{name}; make the request smaller or the limit larger",
        f"!has(self.requests) || !has(self.limits) || !has(self.requests.{text}) || !has(self.limits.{text})"
        f" || quantity(string(self.requests.{text})).compareTo(quantity(string(self.limits.{text}))) <= 0",
        holds,
        field="requests",
    )


class RelayResources(Part):
    """What the container of each replica is given."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        _within("cpu", "cpu", "cpu"),
        _within("memory", "memory", "memory"),
        _within("ephemeral-storage", "ephemeral__dash__storage", "ephemeral_storage"),
    )

    requests: ResourceAmounts = ResourceAmounts()
    """What is kept free for it."""
    limits: ResourceAmounts = ResourceAmounts()
    """What it may not exceed."""


class TolerationOperator(StrEnum):
    """Whether the taint's value counts."""

    EQUAL = "Equal"
    EXISTS = "Exists"


class TaintEffect(StrEnum):
    """What a taint does."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Part):
    """A taint of nodes that the pods put up with."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "there is no key, which means every taint; set operator to Exists, or give a key",
            "has(self.key) || self.operator == 'Exists'",
            lambda one: one.key is not None or one.operator is TolerationOperator.EXISTS,
            field="key",
        ),
        Rule(
            "operator Exists compares no value; remove value, or set operator to Equal",
            "self.operator != 'Exists' || !has(self.value) || self.value == ''",
            lambda one: one.operator is not TolerationOperator.EXISTS or not one.value,
            field="value",
        ),
        Rule(
            "tolerationSeconds is for taints of effect NoExecute; set effect to NoExecute, or remove tolerationSeconds",
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            lambda one: one.toleration_seconds is None or one.effect is TaintEffect.NO_EXECUTE,
            field="tolerationSeconds",
        ),
    )

    key: LabelKey | None = None
    """Key of the taint; every taint by default."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """Equal or Exists."""
    value: LabelValue = ""
    """Value of the taint, for Equal."""
    effect: TaintEffect | None = None
    """NoSchedule, PreferNoSchedule or NoExecute; every effect by default."""
    toleration_seconds: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    """How long a pod that runs stays, for NoExecute; for ever by default."""


class WhenUnsatisfiable(StrEnum):
    """What happens to a pod that would be one too many."""

    DO_NOT_SCHEDULE = "DoNotSchedule"
    SCHEDULE_ANYWAY = "ScheduleAnyway"


class TopologySpread(Part):
    """How evenly the relay's own pods are spread."""

    max_skew: Annotated[int, Field(ge=1, le=100)] = 1
    """By how many pods two places may differ."""
    topology_key: LabelKey
    """The label of nodes by which a place is told, such as topology.kubernetes.io/zone."""
    when_unsatisfiable: WhenUnsatisfiable = WhenUnsatisfiable.SCHEDULE_ANYWAY
    """DoNotSchedule or ScheduleAnyway."""


class RelayPodTemplate(Part):
    """Where the pods run and what they carry."""

    labels: OwnLabels = Field(default_factory=dict)
    """More labels of the pods."""
    annotations: OwnAnnotations = Field(default_factory=dict)
    """Annotations of the pods."""
    node_selector: WantedLabels = Field(default_factory=dict)
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    """Taints of nodes that the pods put up with."""
    affinity: Affinity | None = None
    """Nodes and pods to be near to, or away from."""
    topology_spread_constraints: Annotated[tuple[TopologySpread, ...], Field(max_length=8)] = ()
    """How evenly the relay's own pods are spread over zones or nodes."""
    priority_class_name: ObjectName | None = None
    """Name of the PriorityClass."""
