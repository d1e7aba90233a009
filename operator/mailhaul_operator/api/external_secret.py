"""The part of an UpstreamProvider that fetches its credential from a store, by External Secrets.

The operator makes an ExternalSecret of it (`plan/naming.external_secret`) and reads the Secret that comes of that.
`mailhaul up` has no External Secrets: there the Secret is given by a file or `--env-secret`. Failures: see `part`.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import ObjectName
from mailhaul_operator.api.amounts import Duration
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.part import Part


class SecretStoreKind(StrEnum):
    """Where a store is defined."""

    SECRET_STORE = "SecretStore"  # noqa: S105 - a kind
    CLUSTER_SECRET_STORE = "ClusterSecretStore"  # noqa: S105 - a kind


class SecretStoreRef(Part):
    """A store of External Secrets."""

    kind: SecretStoreKind = SecretStoreKind.SECRET_STORE
    """SecretStore (in the namespace of this resource) or ClusterSecretStore."""
    name: ObjectName
    """Name of the store."""


class CredentialKey(StrEnum):
    """The parts of a credential: user name and password, or user name and what a token server wants."""

    USERNAME = "username"
    PASSWORD = "password"  # noqa: S105 - the name of a key
    CLIENT_ID = "clientId"
    CLIENT_SECRET = "clientSecret"  # noqa: S105 - the name of a key
    REFRESH_TOKEN = "refreshToken"  # noqa: S105 - the name of a key


class RemoteRef(Part):
    """Where a value lies in the store."""

    key: Annotated[str, Field(min_length=1, max_length=1024)]
    """Name of the entry."""
    property: Annotated[str, Field(max_length=512)] = ""
    """Property of the entry, for stores whose entries have several."""


class ExternalSecretData(Part):
    """One part of the credential."""

    secret_key: CredentialKey
    """`username`, `password`; or, with XOAuth2, `clientId`, `clientSecret`, `refreshToken`."""
    remote_ref: RemoteRef
    """Where it lies in the store."""


class ExternalCredential(Part):
    """A credential in a store that External Secrets reads."""

    secret_store_ref: SecretStoreRef
    """The store."""
    refresh_interval: Annotated[int, Duration("5s", "720h")] = 3600
    """How often the store is asked for changes."""
    data: Annotated[tuple[ExternalSecretData, ...], Field(min_length=1, max_length=5), MapBy(("secretKey",))]
    """The parts of the credential. The user name may be absent where the profile knows it."""
