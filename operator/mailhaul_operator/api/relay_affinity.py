"""Affinity of pods, as Kubernetes has it (core/v1 Affinity), typed and bounded.

Typed, because a field of unknown depth could be nested deeper than a JSON parser goes, and stop the operator for all.
Used by `relay_pods`.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from mailhaul_contract.base import Name
from mailhaul_operator.api.labels import LabelKey, LabelValue, WantedLabels
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.rules import Rule

Weight = Annotated[int, Field(ge=1, le=100)]
"""How much it counts beside the others."""
_Values = Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=32)]


class NodeOperator(StrEnum):
    """How a node's label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"


class PodOperator(StrEnum):
    """How a pod's or a namespace's label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


def _has_values_exactly_when_compared(expression: Any) -> bool:  # noqa: ANN401 - one of the two below
    return (expression.operator not in {"Exists", "DoesNotExist"}) == bool(expression.values)


_VALUES = Rule(
    "values and operator do not fit; give values, but none for Exists and DoesNotExist",
    "!(self.operator in ['Exists', 'DoesNotExist']) == (has(self.values) && size(self.values) > 0)",
    _has_values_exactly_when_compared,
    field="values",
)


class NodeExpression(Part):
    """A comparison of a node's label."""

    RULES: ClassVar[tuple[Rule, ...]] = (_VALUES,)

    key: LabelKey
    """Key of the label."""
    operator: NodeOperator
    """In, NotIn, Exists, DoesNotExist, Gt or Lt."""
    values: _Values = ()
    """Values to compare with."""


class PodExpression(Part):
    """A comparison of a label."""

    RULES: ClassVar[tuple[Rule, ...]] = (_VALUES,)

    key: LabelKey
    """Key of the label."""
    operator: PodOperator
    """In, NotIn, Exists or DoesNotExist."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=32)] = ()
    """Values to compare with."""


class Selector(Part):
    """Selects by labels; all must hold, and an empty one selects everything."""

    match_labels: WantedLabels = Field(default_factory=dict)
    """Labels that must be there."""
    match_expressions: Annotated[tuple[PodExpression, ...], Field(max_length=16)] = ()
    """Comparisons of labels."""


class NodeTerm(Part):
    """Nodes for which all of these hold."""

    match_expressions: Annotated[tuple[NodeExpression, ...], Field(min_length=1, max_length=16)]
    """Comparisons of labels."""


class RequiredNodes(Part):
    """Nodes of which one term holds."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=16)]
    """The terms, of which one must hold."""


class PreferredNodes(Part):
    """Nodes to prefer."""

    weight: Weight
    """How much it counts beside the others."""
    preference: NodeTerm
    """The nodes."""


class NodeAffinity(Part):
    """Nodes to run on."""

    required_during_scheduling_ignored_during_execution: RequiredNodes | None = None
    """The pods run on such nodes only."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNodes, ...], Field(max_length=16)
    ] = ()
    """The pods rather run on such nodes."""


class PodTerm(Part):
    """Pods in one place."""

    label_selector: Selector | None = None
    """The pods."""
    topology_key: LabelKey
    """The label of nodes by which a place is told, such as kubernetes.io/hostname."""
    namespaces: Annotated[tuple[Name, ...], Field(max_length=16)] = ()
    """Namespaces of the pods; the relay's own by default."""
    namespace_selector: Selector | None = None
    """Namespaces of the pods by label."""


class PreferredPods(Part):
    """Places to prefer."""

    weight: Weight
    """How much it counts beside the others."""
    pod_affinity_term: PodTerm
    """The pods."""


class PodAffinity(Part):
    """Where such pods are, or are not."""

    required_during_scheduling_ignored_during_execution: Annotated[tuple[PodTerm, ...], Field(max_length=16)] = ()
    """Only there."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredPods, ...], Field(max_length=16)
    ] = ()
    """Rather there."""


class Affinity(Part):
    """Where the pods run, as in a pod's spec."""

    node_affinity: NodeAffinity | None = None
    """On such nodes."""
    pod_affinity: PodAffinity | None = None
    """Beside such pods."""
    pod_anti_affinity: PodAffinity | None = None
    """Away from such pods."""
