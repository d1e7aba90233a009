"""TLS contexts towards upstreams: verified by default, TLS 1.2 or later, shared between upstreams that agree.

Used by `connection`. A context holds every authority of the system (about a megabyte), hence the cache. Failure: an own
authority that is no PEM raises ssl.SSLError.
"""

import ssl
from functools import lru_cache

from mailhaul_contract.upstream import TlsVerify, UpstreamTls


def client_context(tls: UpstreamTls) -> ssl.SSLContext:
    """Give the context for these settings."""
    return _context(tls.verify, tls.ca)


@lru_cache(maxsize=16)
def _context(verify: TlsVerify, authorities: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if verify is TlsVerify.NONE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
