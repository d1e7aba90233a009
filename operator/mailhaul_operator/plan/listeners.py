"""The ports of one relay with their rules, and the certificates that those with TLS need.

Called by `relay_config`. While the Secret of a listener is missing or unusable its last good certificate (that of the
assembled Secret) stays in use, with a finding. A listener that never had one is left out: it neither falls back to
plain text nor keeps the others from working. Pure.
"""

from mailhaul_contract.listening import Listener, ListenerTlsMode
from mailhaul_contract.names import secret_certificate, secret_private_key
from mailhaul_operator.api.relay_listeners import RelayListener
from mailhaul_operator.plan.findings import ObjectRef, Reason
from mailhaul_operator.plan.references import CERTIFICATE, PRIVATE_KEY, Lookup, Source
from mailhaul_operator.plan.snapshot import Snapshot


def listeners(snapshot: Snapshot, lookup: Lookup, secret: dict[str, bytes]) -> tuple[Listener, ...]:
    """Give the listeners that can open, by name; their certificates are added to `secret`."""
    opened = []
    for index, listener in enumerate(snapshot.relay.spec.listeners):
        certificate = _certificate(snapshot, lookup, listener, index)
        if certificate is not None:
            secret.update(certificate)
            port = snapshot.ports.get(listener.port, listener.port)
            opened.append(_opened(listener, port))
    return tuple(sorted(opened, key=lambda one: one.name))


def _opened(listener: RelayListener, port: int) -> Listener:
    networks, proxies = listener.allowed_networks, listener.proxy_protocol
    return Listener(
        name=listener.name,
        port=port,
        tls=listener.tls.mode,
        line_endings=listener.line_endings,
        tls_required=listener.tls.required,
        auth=listener.auth.mode,
        allowed_networks=None if networks is None else tuple(sorted(networks)),
        proxies=tuple(sorted(proxies.trusted_networks)) if proxies else (),
    )


def _certificate(snapshot: Snapshot, lookup: Lookup, listener: RelayListener, index: int) -> dict[str, bytes] | None:
    """Give the keys that it adds to the assembled Secret: none without TLS, None when it cannot open."""
    reference = listener.tls.secret_ref
    if listener.tls.mode is ListenerTlsMode.NONE or reference is None:
        return {}
    last_good = _last_good(snapshot, listener.name)
    goes_on = f"listener {listener.name} goes on with its last good certificate"
    source = Source(
        ObjectRef("SmtpRelay", *snapshot.relay.metadata.key),
        f"spec.listeners[{index}].tls.secretRef",
        goes_on if last_good else f"listener {listener.name} does not open",
    )
    if not lookup.has_secret(source, reference.name, Reason.TLS_SECRET_MISSING):
        return last_good
    chain = lookup.fitting(source, reference.name, "tls.crt", CERTIFICATE)
    key = lookup.fitting(source, reference.name, "tls.key", PRIVATE_KEY)
    if chain is None or key is None:
        return last_good
    return {secret_certificate(listener.name): chain, secret_private_key(listener.name): key}


def _last_good(snapshot: Snapshot, name: str) -> dict[str, bytes] | None:
    keys = (secret_certificate(name), secret_private_key(name))
    known = {key: snapshot.existing[key] for key in keys if key in snapshot.existing}
    return known if len(known) == len(keys) else None
