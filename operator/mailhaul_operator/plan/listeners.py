"""The ports of one relay with their rules, and the certificates that those with TLS need.

Called by `relay_config`. A listener whose certificate is missing is left out: it neither falls back to plain text nor
keeps the others from working. Pure.
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
        if _certified(snapshot, lookup, listener, index, secret):
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


def _certified(
    snapshot: Snapshot, lookup: Lookup, listener: RelayListener, index: int, secret: dict[str, bytes]
) -> bool:
    reference = listener.tls.secret_ref
    if listener.tls.mode is ListenerTlsMode.NONE or reference is None:
        return True
    source = Source(
        ObjectRef("SmtpRelay", *snapshot.relay.metadata.key),
        f"spec.listeners[{index}].tls.secretRef",
        f"listener {listener.name} does not open",
    )
    if not lookup.has_secret(source, reference.name, Reason.TLS_SECRET_MISSING):
        return False
    chain = lookup.fitting(source, reference.name, "tls.crt", CERTIFICATE)
    key = lookup.fitting(source, reference.name, "tls.key", PRIVATE_KEY)
    if chain is None or key is None:
        return False
    secret[secret_certificate(listener.name)] = chain
    secret[secret_private_key(listener.name)] = key
    return True
