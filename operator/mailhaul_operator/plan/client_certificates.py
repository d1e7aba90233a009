"""The certificate that a relay shows to one provider: read from the Secret that the provider names.

Called by `upstreams`. When the Secret is missing or unusable, the last good certificate (that of the assembled Secret)
stays in use, with a finding; a reference that is removed takes it along. Pure.
"""

from mailhaul_contract.names import secret_client_certificate, secret_client_key
from mailhaul_operator.plan.credentials import Use
from mailhaul_operator.plan.references import CERTIFICATE, PRIVATE_KEY, Lookup, Source
from mailhaul_operator.plan.snapshot import Snapshot


def client_certificate(snapshot: Snapshot, lookup: Lookup, use: Use) -> dict[str, bytes] | None:
    """Give the keys that it adds to the assembled Secret: none when none is shown, None when it is missing."""
    reference = use.provider.spec.tls.client_certificate_ref
    if reference is None:
        return {}
    last_good = _last_good(snapshot, use)
    consequence = use.without
    if last_good:
        consequence = f"the last good certificate of upstream {use.handle} stays in use at relay {use.relay}"
    source = Source(use.object, "spec.tls.clientCertificateRef", consequence)
    if not lookup.has_secret(source, reference.name):
        return last_good
    chain = lookup.fitting(source, reference.name, "tls.crt", CERTIFICATE)
    key = lookup.fitting(source, reference.name, "tls.key", PRIVATE_KEY)
    if chain is None or key is None:
        return last_good
    name = use.provider.metadata.name
    return {secret_client_certificate(name): chain, secret_client_key(name): key}


def _last_good(snapshot: Snapshot, use: Use) -> dict[str, bytes] | None:
    name = use.provider.metadata.name
    keys = (secret_client_certificate(name), secret_client_key(name))
    known = {key: snapshot.existing[key] for key in keys if key in snapshot.existing}
    return known if len(known) == len(keys) else None
