"""Conditions as Kubernetes writes them (metav1.Condition): one type each, by which lists merge."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.part import Observed

NOT_ASSESSED: Mapping[str, Any] = {"observedGeneration": -1}
"""The status that the API server gives a resource which no operator has looked at. Without one kstatus takes it for
Current, and Flux would be Ready before any mail could leave.
"""


class ConditionStatus(StrEnum):
    """Whether the condition holds; Unknown is said, never guessed."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Observed):
    """One aspect of the state of this resource."""

    type: Annotated[str, Field(min_length=1, max_length=316, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")]
    """Type of the condition in CamelCase."""
    status: ConditionStatus
    """True, False or Unknown."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation of the resource that this condition is about."""
    last_transition_time: datetime
    """When the status last changed."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """The reason of the last change, one CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """What is so and what to do, for people."""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), MapBy(("type",))]
