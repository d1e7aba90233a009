"""Objects of Kubernetes that the plan reads: Secrets, ConfigMaps and Namespaces. A Secret's `repr` shows nothing.

Failures: ValidationError without the value. Fields that the plan does not use are ignored.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mailhaul_operator.api.metadata import ObjectMeta
from mailhaul_operator.api.part import Observed


def _from_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("not text; write the value in base64, or use stringData")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64; encode the value, or use stringData") from None


Base64 = Annotated[bytes, BeforeValidator(_from_base64)]


class Secret(Observed):
    """A Secret. Ask `value`, which knows both ways to write one."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: ObjectMeta
    data: Annotated[Mapping[str, Base64], Field(repr=False)] = Field(default_factory=dict)
    string_data: Annotated[Mapping[str, str], Field(repr=False)] = Field(default_factory=dict)

    def value(self, key: str) -> bytes | None:
        """Give the value of a key as bytes, or None when there is none. `stringData` wins, as in the API server."""
        if key in self.string_data:
            return self.string_data[key].encode()
        return self.data.get(key)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the keys, sorted."""
        return tuple(sorted({*self.data, *self.string_data}))


class ConfigMap(Observed):
    """A ConfigMap."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: ObjectMeta
    data: Mapping[str, str] = Field(default_factory=dict)
    binary_data: Mapping[str, Base64] = Field(default_factory=dict)

    def value(self, key: str) -> bytes | None:
        """Give the value of a key as bytes, or None when there is none."""
        return self.data[key].encode() if key in self.data else self.binary_data.get(key)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the keys, sorted."""
        return tuple(sorted({*self.data, *self.binary_data}))


class Namespace(Observed):
    """A Namespace; its labels decide about consent to aliases."""

    api_version: Literal["v1"]
    kind: Literal["Namespace"]
    metadata: ObjectMeta
