"""`Resources`: everything that the plan is made from, read from files now and from the cluster by the operator."""

from dataclasses import dataclass

from mailhaul_operator.api.inputs import ConfigMap, Namespace, Secret
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider


@dataclass(frozen=True, slots=True)
class Resources:
    """Each kind in the order in which it was read; no two of one kind share namespace and name."""

    relays: tuple[SmtpRelay, ...] = ()
    providers: tuple[UpstreamProvider, ...] = ()
    aliases: tuple[MailAlias, ...] = ()
    secrets: tuple[Secret, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    namespaces: tuple[Namespace, ...] = ()

    def provider(self, namespace: str, name: str) -> UpstreamProvider | None:
        """Find a provider."""
        return next((one for one in self.providers if one.metadata.key == (namespace, name)), None)

    def secret(self, namespace: str, name: str) -> Secret | None:
        """Find a Secret."""
        return next((one for one in self.secrets if one.metadata.key == (namespace, name)), None)

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """Find a ConfigMap."""
        return next((one for one in self.config_maps if one.metadata.key == (namespace, name)), None)

    def namespace(self, name: str) -> Namespace | None:
        """Find a Namespace; None when it was not read, which is usual with files."""
        return next((one for one in self.namespaces if one.metadata.name == name), None)
