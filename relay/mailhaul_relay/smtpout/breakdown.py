"""The one place where an exception of a conversation becomes an outcome.

Called by `connection` and `transaction`; replies are the business of `classify`. What is not known here is temporary,
and after the final dot everything is unknown: the message may have been taken (DESIGN.md section 4).
"""

import socket
import ssl

from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.smtpout.content import BodyError
from mailhaul_relay.smtpout.wire import GarbageError, LostError

MAX_DETAIL = 200


class UnusableError(Exception):
    """The upstream cannot be used now; `outcome` says why. Every recipient of the transmission gets it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


def classify_exception(stage: Stage, error: Exception) -> Outcome:
    """Tell what an exception at a stage means. `END_OF_DATA` means that the final dot was handed to the socket."""
    if isinstance(error, UnusableError):
        return error.outcome
    if isinstance(error, BodyError):
        return Outcome(Verdict.RETRY, Stage.RELAY, Fault.TRANSIENT, detail=str(error)[:MAX_DETAIL], remedy=_SPOOL)
    fault, detail, remedy = _explain(stage, error)
    verdict = Verdict.RETRY
    if stage is Stage.END_OF_DATA:
        verdict, remedy = Verdict.UNKNOWN, "The message may have arrived; the relay tries again at the same upstream."
    elif isinstance(error, ssl.SSLCertVerificationError):
        verdict = Verdict.HOLD
    return Outcome(verdict, stage, fault, detail=detail[:MAX_DETAIL], remedy=remedy)


def _explain(stage: Stage, error: Exception) -> tuple[Fault, str, str]:
    """Fault, detail and remedy, most particular kinds first (many are OSErrors)."""
    match error:
        case ssl.SSLCertVerificationError():
            return Fault.TLS, f"certificate refused: {_reason(error, 'verify_message')}", _CERTIFICATE
        case ssl.SSLError() | LostError() if _refuses_identity(error):
            return Fault.TLS, f"the upstream refused our certificate at {stage.value}: {_reason(error)}", _IDENTITY
        case ssl.SSLError():
            return Fault.TLS, f"TLS failed: {_reason(error)}", _TLS
        case GarbageError():
            return Fault.PROTOCOL, f"the upstream does not speak SMTP here: {error}", _PORT
        case TimeoutError():
            return Fault.CONNECTION, f"timed out at {stage.value}: {str(error) or 'no answer'}", _REACH
        case socket.gaierror():
            return Fault.CONNECTION, f"the name could not be resolved: {error.strerror}", _NAME
        case ConnectionRefusedError():
            return Fault.CONNECTION, "connection refused", _REACH
        case LostError():
            fault = Fault.TLS if stage is Stage.TLS else Fault.CONNECTION
            return fault, f"connection lost at {stage.value}: {error}", _REACH
        case OSError():
            return Fault.CONNECTION, f"connection failed at {stage.value}: {error.strerror or error}", _REACH
        case _:
            return Fault.TRANSIENT, f"unexpected {type(error).__name__} at {stage.value}", "Report this to Mailhaul."


def _refuses_identity(error: Exception) -> bool:
    """Whether the alert is one about our certificate. With TLS 1.3 it comes after the handshake, and ends the wire."""
    return any(alert in str(error) for alert in _ALERTS)


def _reason(error: Exception, attribute: str = "reason") -> str:
    """OpenSSL's words; an error that Python itself raised has none."""
    return str(getattr(error, attribute, None) or error)


_ALERTS = (
    *("ALERT_CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_UNSUPPORTED_CERTIFICATE", "ALERT_UNKNOWN_CA"),
    *("ALERT_CERTIFICATE_REVOKED", "ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_UNKNOWN", "ALERT_ACCESS_DENIED"),
)
"""OpenSSL's names of the alerts by which a server refuses a client's certificate, or that there is none."""
_IDENTITY = (
    "Set spec.tls.clientCertificateRef of the UpstreamProvider to a certificate that the upstream knows and that is"
    " valid now."
)
_SPOOL = "Check the relay's volume: the message's own file cannot be read."
_REACH = "Check the provider's host and port, and that the network (NetworkPolicy, cloud firewall) lets it through."
_NAME = "Check spec.host of the UpstreamProvider and the cluster's DNS."
_PORT = "Check spec.port and spec.tls.mode: port 465 needs Implicit, 587 and 2525 StartTLS."
_TLS = (
    "Check spec.tls.mode and spec.port, that the upstream speaks TLS 1.2 or later, and whether it wants a certificate"
    " of ours (spec.tls.clientCertificateRef)."
)
_CERTIFICATE = "Set spec.tls.caRef to the authority that signed it, or spec.tls.serverName to the name that it is for."
