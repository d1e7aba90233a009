"""What every model of the contract and of the resources has in common: frozen, strict about names, camelCase in JSON.

Bounds are part of the types, for an unbounded list is memory that somebody else decides on.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from mailhaul_contract.addresses import normal_address
from mailhaul_contract.domains import normal_domain

Seconds = Annotated[int, Field(ge=0, le=31_536_000)]
"""A duration in whole seconds, a year at most."""
Bytes = Annotated[int, Field(ge=0, le=2**40)]
Port = Annotated[int, Field(ge=1, le=65535)]
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
OBJECT_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
Name = Annotated[str, Field(min_length=1, max_length=63, pattern=NAME_PATTERN)]
"""An RFC 1123 label: handles of listeners and upstreams, and namespaces."""
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=OBJECT_NAME_PATTERN),
]
"""An RFC 1123 subdomain: names of Kubernetes objects."""
Domain = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(normal_domain)]
Mailbox = Annotated[str, Field(min_length=3, max_length=320), AfterValidator(normal_address)]


class Frozen(BaseModel):
    """A value that cannot change and knows all of its fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    @classmethod
    def from_json(cls, data: Any) -> Self:  # noqa: ANN401 - parsed JSON or YAML of unknown shape
        """Build from parsed JSON, by camelCase names only. Raises pydantic.ValidationError (see `refusals`)."""
        return cls.model_validate(data, by_alias=True, by_name=False)

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form without defaults, so that an older reader sees only the fields that are in use."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
