"""What became of an attempt, as a value: the only language between `smtpout` and `queue`.

One `Outcome` per recipient. Unknown errors are temporary. Texts are the other side's words, bounded and printable.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where in the conversation with an upstream a reply or an exception came."""

    CONNECT = "connect"
    BANNER = "banner"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END_OF_DATA = "end-of-data"
    RELAY = "relay"
    """Decided by the relay itself: no upstream was asked."""


class Verdict(StrEnum):
    """The five outcomes of DESIGN.md section 4."""

    DELIVERED = "delivered"
    RETRY = "retry"
    HOLD = "hold"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """What was wrong. The first six concern the whole upstream and move its breaker."""

    CONNECTION = "connection"
    TLS = "tls"
    AUTH = "auth"
    TOKEN = "token"  # noqa: S105 - a word
    """No access token could be had, so that no login was tried (XOAUTH2)."""
    QUOTA = "quota"
    THROTTLE = "throttle"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"
    SIZE = "size"
    CAPABILITY = "capability"
    """The upstream does not offer what the message needs (SMTPUTF8, 8BITMIME)."""
    PROTOCOL = "protocol"
    TRANSIENT = "transient"
    EXPIRED = "expired"
    OPERATOR = "operator"
    """A person decided: holds it, or has given it up."""
    NONE = "none"

    @property
    def is_of_upstream(self) -> bool:
        """Whether it concerns every message that this upstream would get."""
        return self in _OF_UPSTREAM


_OF_UPSTREAM = frozenset({Fault.CONNECTION, Fault.TLS, Fault.AUTH, Fault.TOKEN, Fault.QUOTA, Fault.THROTTLE})


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: code, enhanced code ("" when none) and text, lines joined by a blank, at most 512 characters."""

    code: int
    enhanced: str = ""
    text: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient in one attempt.

    `detail` is for the log when there is no reply (an exception's kind). `retry_elsewhere` says of a FAILED outcome
    that another upstream may still take the message (too large for this one, no SMTPUTF8 here, a rule of its own).
    `rule` names the row of `replies.toml` that decided, "" when the code class did.
    """

    verdict: Verdict
    stage: Stage
    fault: Fault = Fault.NONE
    reply: Reply | None = None
    detail: str = ""
    remedy: str = ""
    rule: str = ""
    retry_elsewhere: bool = False

    @property
    def text(self) -> str:
        """The upstream's words, else our own."""
        return str(self.reply) if self.reply else self.detail
