"""Which Secrets and ConfigMaps a resource of ours refers to. Pure.

Every field of a model whose name ends with `secret_ref` (or is one of the few others) is followed, so that a reference
that is added to a kind is seen without a change here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from mailhaul_operator.api.part import Part
from mailhaul_operator.api.provider_tls import CaKind, CaRef
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.naming import external_secret

_SECRETS: Final = ("secret_ref", "client_certificate_ref")


class Reference(NamedTuple):
    """An object that is named: `Secret` or `ConfigMap`, namespace, name."""

    kind: str
    namespace: str
    name: str


def references(resource: Part) -> frozenset[Reference]:
    """Give what an SmtpRelay, an UpstreamProvider or a MailAlias names; all of it is in the resource's namespace."""
    metadata: Any = getattr(resource, "metadata")  # noqa: B009 - every kind has it, their base has not
    named = set(_named(getattr(resource, "spec", None)))
    if isinstance(resource, UpstreamProvider) and getattr(resource.spec.auth, "external_secret", None) is not None:
        named.add(("Secret", external_secret(metadata.name)))
    return frozenset(Reference(kind, metadata.namespace, name) for kind, name in named)


def _named(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, CaRef):
        yield ("ConfigMap" if value.kind is CaKind.CONFIG_MAP else "Secret"), value.name
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            member = getattr(value, field)
            if field.endswith(_SECRETS) and member is not None:
                yield "Secret", member.name
            else:
                yield from _named(member)
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _named(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _named(one)
