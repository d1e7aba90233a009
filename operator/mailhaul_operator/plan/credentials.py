"""The credential of one provider: read from the Secret that it names, or that External Secrets makes for it.

Called by `upstreams`. When the source is missing or unusable, the last good credential (that of the assembled Secret)
stays in use, with a finding; a reference that is removed takes the credential with it, and so does another host. Pure.
"""

from dataclasses import dataclass

from mailhaul_contract.names import secret_password, secret_username
from mailhaul_operator.api.profiles import profile
from mailhaul_operator.api.upstreamprovider import CredentialRef, UpstreamProvider
from mailhaul_operator.plan.findings import ObjectRef, Reason
from mailhaul_operator.plan.naming import external_secret
from mailhaul_operator.plan.previous import secret_host
from mailhaul_operator.plan.references import ONE_LINE, Lookup, Source
from mailhaul_operator.plan.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Use:
    """A provider as one upstream of a relay: `relay` is `namespace/name`, `handle` the upstream's name there."""

    relay: str
    handle: str
    provider: UpstreamProvider

    @property
    def object(self) -> ObjectRef:
        """Name the provider in a finding."""
        return ObjectRef("UpstreamProvider", *self.provider.metadata.key)

    @property
    def without(self) -> str:
        """What follows when the upstream is left out."""
        return f"relay {self.relay} does without upstream {self.handle}"


def credential(snapshot: Snapshot, lookup: Lookup, use: Use) -> dict[str, bytes] | None:
    """Give the keys that it adds to the assembled Secret: none when it needs no credential, None when one is missing.

    What is wrong with the source is found, also when the last good credential takes its place.
    """
    last_good = _last_good(snapshot, use.provider)
    consequence = use.without
    if last_good:
        consequence = f"the last good credential of upstream {use.handle} stays in use at relay {use.relay}"
    auth = use.provider.spec.auth
    if auth.external_secret:
        return _external(snapshot, lookup, use, consequence) or last_good
    if auth.secret_ref:
        source = Source(use.object, "spec.auth.secretRef", consequence)
        return _read(lookup, source, use.provider, auth.secret_ref) or last_good
    return {}


def _external(snapshot: Snapshot, lookup: Lookup, use: Use, consequence: str) -> dict[str, bytes] | None:
    namespace, name = snapshot.namespace, external_secret(use.provider.metadata.name)
    remedy = (
        f"see what `kubectl -n {namespace} describe externalsecret {name}` says;"
        f" where there is no cluster, give Secret {name} in a file or by --env-secret"
    )
    source = Source(use.object, "spec.auth.externalSecret", consequence, remedy)
    if not snapshot.facts.external_secrets:
        absent = "the cluster serves no ExternalSecret: External Secrets is not installed"
        install = "install External Secrets, or use spec.auth.secretRef"
        lookup.findings.append(
            Source(source.object, source.field, consequence).finding(Reason.EXTERNAL_SECRETS_ABSENT, absent, install)
        )
        if snapshot.resources.secret(namespace, name) is None:
            return None
    return _read(lookup, source, use.provider, CredentialRef(name=name))


def _read(
    lookup: Lookup, source: Source, provider: UpstreamProvider, reference: CredentialRef
) -> dict[str, bytes] | None:
    if not lookup.has_secret(source, reference.name):
        return None
    username = _username(lookup, source, provider, reference)
    password = lookup.fitting(source, reference.name, reference.password_key, ONE_LINE, ".passwordKey")
    if username is None or password is None:
        return None
    name = provider.metadata.name
    return {secret_username(name): username, secret_password(name): password, secret_host(name): _host(provider)}


def _username(lookup: Lookup, source: Source, provider: UpstreamProvider, reference: CredentialRef) -> bytes | None:
    fixed = profile(provider.spec.type).login.fixed
    if fixed and not lookup.has_key(reference.name, reference.username_key):
        return fixed.encode()
    return lookup.fitting(source, reference.name, reference.username_key, ONE_LINE, ".usernameKey")


def _last_good(snapshot: Snapshot, provider: UpstreamProvider) -> dict[str, bytes] | None:
    """The credential that the relay has for this provider, if it is for the host that the provider has now."""
    name = provider.metadata.name
    keys = (secret_username(name), secret_password(name), secret_host(name))
    known = {key: snapshot.existing[key] for key in keys if key in snapshot.existing}
    return known if len(known) == len(keys) and known[secret_host(name)] == _host(provider) else None


def _host(provider: UpstreamProvider) -> bytes:
    return (provider.spec.host or profile(provider.spec.type).host).encode()
