"""The credential of one provider: read from the Secret that it names, or that External Secrets makes for it.

Called by `upstreams`. When the source is missing or unusable, the last good credential (that of the assembled Secret)
stays in use, with a finding; a reference that is removed takes the credential with it, and so does another host. Pure.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mailhaul_contract.names import CREDENTIAL_PARTS, secret_credential, secret_username
from mailhaul_contract.oauth import Grant
from mailhaul_operator.api.profiles import profile
from mailhaul_operator.api.provider_auth import CredentialRef, ProviderOAuth
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.findings import ObjectRef, Reason
from mailhaul_operator.plan.naming import external_secret
from mailhaul_operator.plan.oauth import token_url
from mailhaul_operator.plan.previous import secret_host
from mailhaul_operator.plan.references import ONE_LINE, TOKEN_PART, Form, Lookup, Source
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
    found = [(part, _part(lookup, source, provider, reference, part)) for part in _parts(lookup, provider, reference)]
    values = {part: value for part, value in found if value is not None}
    if len(values) < len(found):
        return None
    name = provider.metadata.name
    return {**{secret_credential(name, part): values[part] for part in values}, secret_host(name): _home(provider)}


def _parts(lookup: Lookup, provider: UpstreamProvider, reference: CredentialRef) -> Iterator[str]:
    """What the credential consists of, as `CREDENTIAL_PARTS` names it."""
    yield "username"
    wanted = provider.spec.auth.oauth
    if wanted is None:
        yield "password"
        return
    yield "clientId"
    if wanted.grant is Grant.CLIENT_CREDENTIALS or lookup.has_key(reference.name, reference.client_secret_key):
        yield "clientSecret"
    if wanted.grant is Grant.REFRESH_TOKEN:
        yield "refreshToken"


def _part(
    lookup: Lookup, source: Source, provider: UpstreamProvider, reference: CredentialRef, part: str
) -> bytes | None:
    fixed = profile(provider.spec.type).login.fixed
    field, key, form = _SOUGHT[part](reference)
    if part == "username" and fixed and not lookup.has_key(reference.name, key):
        return fixed.encode()
    return lookup.fitting(source, reference.name, key, form, field)


_Sought = tuple[str, str, Form]
_SOUGHT: Mapping[str, Callable[[CredentialRef], _Sought]] = {
    "username": lambda one: (".usernameKey", one.username_key, ONE_LINE),
    "password": lambda one: (".passwordKey", one.password_key, ONE_LINE),
    "clientId": lambda one: (".clientIdKey", one.client_id_key, TOKEN_PART),
    "clientSecret": lambda one: (".clientSecretKey", one.client_secret_key, TOKEN_PART),
    "refreshToken": lambda one: (".refreshTokenKey", one.refresh_token_key, TOKEN_PART),
}
"""By part of the credential: the field of the reference that names its key, the key, and what it must be."""


def _last_good(snapshot: Snapshot, provider: UpstreamProvider) -> dict[str, bytes] | None:
    """The credential that the relay has for this provider, if it is for the host that the provider has now."""
    name = provider.metadata.name
    keys = (*(secret_credential(name, part) for part in CREDENTIAL_PARTS), secret_host(name))
    known = {key: snapshot.existing[key] for key in keys if key in snapshot.existing}
    return known if secret_username(name) in known and known.get(secret_host(name)) == _home(provider) else None


def _home(provider: UpstreamProvider) -> bytes:
    """What a credential belongs to: the host and, with access tokens, the token server and the grant. It is shown to
    nobody else, and a password is never taken for a client's secret.
    """
    host = provider.spec.host or profile(provider.spec.type).host
    wanted: ProviderOAuth | None = provider.spec.auth.oauth
    return (f"{host} {wanted.grant} {token_url(provider, wanted)}" if wanted else host).encode()
