"""Metadata and references that every kind has; what Kubernetes itself keeps there and we do not use is ignored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field

from mailhaul_contract.base import Name, ObjectName
from mailhaul_operator.api.part import Observed, Part
from mailhaul_operator.api.text import KeyName

DEFAULT_NAMESPACE = "default"
"""The namespace of an object in a file that names none, as with kubectl."""


class ObjectMeta(Observed):
    """Standard object's metadata."""

    model_config = ConfigDict(extra="ignore")

    name: ObjectName
    """Name of the object, unique for its kind within a namespace."""
    namespace: Name = DEFAULT_NAMESPACE
    """Namespace of the object."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels by which others select it."""
    annotations: Mapping[str, str] = Field(default_factory=dict)
    """Annotations."""
    uid: Annotated[str, Field(max_length=64)] = ""
    """Identity over time; empty for an object that was read from a file."""
    generation: int = 0
    """Counts the changes of spec; 0 for an object that was read from a file."""
    creation_timestamp: datetime | None = None
    """When it was created; none for an object that was read from a file."""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name


class SecretRef(Part):
    """A Secret in the namespace of this resource."""

    name: ObjectName
    """Name of the Secret."""


class SecretKeyRef(Part):
    """A key of a Secret in the namespace of this resource."""

    name: ObjectName
    """Name of the Secret."""
    key: KeyName
    """Key within it."""
