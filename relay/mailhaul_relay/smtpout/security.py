"""TLS contexts towards upstreams and token servers: verified by default, TLS 1.2 or later, shared where they agree.

Used by `connection` and `token_request`. A context holds every authority of the system (about a megabyte), hence the
cache. Failures: an own authority that is no PEM raises ssl.SSLError or ValueError, a client certificate that cannot be
used `IdentityError`.
"""

import ssl
from functools import lru_cache

from mailhaul_contract.upstream import TlsVerify, UpstreamTls
from mailhaul_relay.model.secrets import Certificate
from mailhaul_relay.ports.certificates import load_certificate


class IdentityError(Exception):
    """The client certificate or its key cannot be used. The text is OpenSSL's reason and nothing of the key."""


def client_context(tls: UpstreamTls, identity: Certificate | None = None) -> ssl.SSLContext:
    """Give the context for these settings; `identity` is the certificate to show, where one is wanted."""
    return _context(tls.verify, tls.ca, identity)


def authority_context(authorities: str) -> ssl.SSLContext:
    """Give the context that verifies by these authorities (PEM), or the system's when it is empty."""
    return _context(TlsVerify.REQUIRED, authorities, None)


@lru_cache(maxsize=16)
def _context(verify: TlsVerify, authorities: str, identity: Certificate | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if verify is TlsVerify.NONE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        _identify(context, identity)
    return context


def _identify(context: ssl.SSLContext, identity: Certificate) -> None:
    try:
        load_certificate(context, identity)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise IdentityError(getattr(error, "reason", None) or type(error).__name__) from None
