"""Puts a certificate and its key into a TLS context without a file on any disk: OpenSSL's loader takes files only.

Used by `smtpin.tls` for listeners and by `smtpout.security` for the relay as a client. Failures: ssl.SSLError, OSError
or ValueError, as `load_cert_chain` has them; none holds anything of the key.
"""

import os
import ssl

from mailhaul_relay.model.secrets import Certificate


def load_certificate(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Load it from memory: the files exist for that moment only."""
    chain, key = os.memfd_create("chain"), -1
    try:
        key = os.memfd_create("key")
        os.write(chain, certificate.chain)
        os.write(key, certificate.key)
        # A key with a passphrase must not make OpenSSL ask the terminal.
        context.load_cert_chain(f"/proc/self/fd/{chain}", f"/proc/self/fd/{key}", password=lambda: "")
    finally:
        os.close(chain)
        if key >= 0:
            os.close(key)
