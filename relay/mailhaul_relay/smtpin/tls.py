"""TLS for STARTTLS (RFC 3207): a context of the user's certificate, and the layer between transport and session.

`listener` makes contexts, `session` begins the layer. A certificate that cannot be used is `CertificateError`; a
handshake that fails or takes too long ends the connection and is told to the session.
"""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

from mailhaul_relay.model.secrets import Certificate
from mailhaul_relay.ports.certificates import load_certificate
from mailhaul_relay.smtpin.limits import TLS_HANDSHAKE


class CertificateError(ValueError):
    """A certificate or its key cannot be used. The text names the remedy and nothing of the key."""


class _TlsLayer(SSLProtocol):
    """asyncio's, with a small read buffer: its own is 256 KiB for each connection, used or not."""

    max_size = 32_768


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """Make the context of a listener: TLS 1.2 or later, no client certificates. Raises CertificateError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        load_certificate(context, certificate)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise CertificateError(
            f"the certificate or key cannot be used ({reason}); give a PEM chain, leaf first, and its unencrypted key"
        ) from None
    return context


def begin(
    session: asyncio.Protocol, context: ssl.SSLContext, done: Callable[[BaseException | None], None]
) -> SSLProtocol:
    """Put TLS below a session whose transport is plain; `done` hears how the handshake went."""
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    waiter.add_done_callback(lambda it: done(_untraced(it.exception())))
    layer = _TlsLayer(loop, session, context, waiter, server_side=True, ssl_handshake_timeout=int(TLS_HANDSHAKE))
    transport = session.transport  # type: ignore[attr-defined]
    transport.set_protocol(layer)
    layer.connection_made(transport)
    return layer


def _untraced(error: BaseException | None) -> BaseException | None:
    """Free what its traceback holds, the layer and its buffers: it is a cycle, which waits long for the collector."""
    return error and error.with_traceback(None)
