"""The part of an SmtpRelay that says who may send mail to anywhere: networks and SMTP accounts."""

from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import ObjectName
from mailhaul_operator.api.client_networks import PRIVATE_NETWORKS
from mailhaul_operator.api.lists import SetOf
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.text import KeyName, NetworkText


class AccountsSecretRef(Part):
    """A key of a Secret in the namespace of this relay, with one account a line."""

    name: ObjectName
    """Name of the Secret."""
    key: KeyName = "accounts"
    """Key within it: lines of name:password, the password as $argon2id$..., $scrypt$... or {PLAIN}..."""


class RelayAccounts(Part):
    """SMTP accounts of clients."""

    secret_ref: AccountsSecretRef
    """Where they are."""


class RelayClients(Part):
    """Who may send mail through this relay to anywhere. Everybody else may only address aliases."""

    allowed_networks: Annotated[tuple[NetworkText, ...], Field(max_length=64), SetOf()] | None = None
    """Networks of trusted clients. Absent means the private ranges; an empty list trusts nobody. Must be given when
    service.type is not ClusterIP."""
    accounts: RelayAccounts | None = None
    """SMTP accounts. Who logs in with one is trusted wherever it comes from; listeners say where that may be."""

    @property
    def trusted_networks(self) -> tuple[str, ...]:
        """The networks in force."""
        return PRIVATE_NETWORKS if self.allowed_networks is None else self.allowed_networks
