"""`RelayConfig`: everything that a relay process needs to know, and no secret.

The operator's `plan` produces it, the relay interprets it; both import it from here. Files of this form are named
`relay.v1.json`. Durations are whole seconds, sizes are bytes, names are in normal form. Writers leave defaults out
(`Frozen.to_json`), so a field that is new and unused does not trouble an older relay; readers refuse unknown fields.
"""

import ipaddress
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mailhaul_contract.base import Bytes, Domain, Frozen, Mailbox, Name, ObjectName, Port, Seconds

CONTRACT_VERSION = 1


def normal_network(text: str) -> str:
    """Give the normal form of a network in CIDR notation; raises ValueError when host bits are set."""
    return str(ipaddress.ip_network(text))


Network = Annotated[str, Field(min_length=2, max_length=49), AfterValidator(normal_network)]


class RelayName(Frozen):
    """The SmtpRelay that this configuration was planned from."""

    namespace: Name
    name: Name


class ListenerTlsMode(StrEnum):
    """Whether a listener offers STARTTLS (RFC 3207); it needs a certificate of the user's for that."""

    NONE = "None"
    START_TLS = "StartTLS"


class LineEndings(StrEnum):
    """What happens to a bare CR or LF in a message: refused with 5xx, or made a CRLF. Never forwarded as it came."""

    STRICT = "Strict"
    NORMALISE = "Normalise"


class Listener(Frozen):
    """A port that clients connect to. The certificate of `StartTLS` is in the secrets, under the listener's name."""

    name: Name
    port: Port
    tls: ListenerTlsMode = ListenerTlsMode.NONE
    line_endings: LineEndings = LineEndings.STRICT


class Clients(Frozen):
    """Who may relay: source networks. Empty trusts nobody; everybody else may only address aliases."""

    allowed_networks: Annotated[tuple[Network, ...], Field(max_length=64)] = ()


class Senders(Frozen):
    """The From domains that trusted clients may use; empty leaves it to the upstreams' own lists."""

    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()


class TlsMode(StrEnum):
    """How the connection to an upstream is secured: `StartTLS` and `Implicit` never fall back to plain text."""

    NONE = "None"
    START_TLS = "StartTLS"
    IMPLICIT = "Implicit"


class TlsVerify(StrEnum):
    """Whether the upstream's certificate must be valid for its name."""

    REQUIRED = "Required"
    NONE = "None"


class UpstreamTls(Frozen):
    """TLS towards an upstream. `ca` is PEM text of the own authorities; empty means the system's."""

    mode: TlsMode = TlsMode.START_TLS
    verify: TlsVerify = TlsVerify.REQUIRED
    server_name: Annotated[str, Field(max_length=253)] = ""
    ca: Annotated[str, Field(max_length=262_144)] = ""


class AuthMechanism(StrEnum):
    """The SASL mechanism; `Auto` takes PLAIN, else LOGIN, as the upstream offers them."""

    NONE = "None"
    AUTO = "Auto"
    PLAIN = "Plain"
    LOGIN = "Login"


class ForeignFrom(StrEnum):
    """What a provider does to a From that is not its customer's."""

    KEEP = "Keep"
    REPLACE = "Replace"
    REFUSE = "Refuse"


class EnvelopeSender(StrEnum):
    """What a provider does to the envelope sender; only a kept one brings bounces (and SRS) back."""

    KEEP = "Keep"
    REPLACE = "Replace"


class NullSender(StrEnum):
    """Whether a provider takes `MAIL FROM:<>`."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"


class Behavior(Frozen):
    """How a provider treats mail. `max_message_size` 0 and `max_recipients` 0 mean: no limit is known."""

    foreign_from: ForeignFrom = ForeignFrom.KEEP
    envelope_sender: EnvelopeSender = EnvelopeSender.KEEP
    null_sender: NullSender = NullSender.ACCEPTED
    max_message_size: Bytes = 0
    max_recipients: Annotated[int, Field(ge=0, le=100_000)] = 0
    unique_headers: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=32)] = ()


class RateLimit(Frozen):
    """At most `messages` transactions begun in any `per` seconds."""

    messages: Annotated[int, Field(ge=1, le=1_000_000)]
    per: Annotated[int, Field(ge=1, le=86_400)] = 1


class AddressFamily(StrEnum):
    """The address family of connections to an upstream."""

    ANY = "Any"
    IPV4 = "IPv4"
    IPV6 = "IPv6"


class Connections(Frozen):
    """The pool towards one upstream. In seconds: how long a connection may be idle, and how long any reply before the
    message is sent may take; a shorter one fails over sooner, and what was not sent yet cannot be doubled by it.
    """

    max: Annotated[int, Field(ge=1, le=1000)] = 5
    messages_per_connection: Annotated[int, Field(ge=1, le=100_000)] = 100
    idle_timeout: Seconds = 30
    reply_timeout: Annotated[int, Field(ge=1, le=600)] = 120
    address_family: AddressFamily = AddressFamily.ANY


class UpstreamSenders(Frozen):
    """The From domains that a provider may send; empty means any. `rewrite_from` replaces a From it may not send."""

    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()
    rewrite_from: Mailbox | None = None


class UpstreamKind(StrEnum):
    """How mail reaches the upstream: by SMTP, or into the relay's own inbox."""

    SMTP = "Smtp"
    CAPTURE = "Capture"


class Upstream(Frozen):
    """One way out. `name` is the handle within this relay; a credential lies in the secrets under `provider`.
    `probe_sender` is the address that a probe tries with MAIL FROM.
    """

    name: Name
    provider: ObjectName
    profile: Annotated[str, Field(max_length=63)] = "smtp"
    kind: UpstreamKind = UpstreamKind.SMTP
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    host: Annotated[str, Field(max_length=253)] = ""
    port: Port = 587
    tls: UpstreamTls = UpstreamTls()
    auth: AuthMechanism = AuthMechanism.NONE
    rate_limit: RateLimit | None = None
    connections: Connections = Connections()
    senders: UpstreamSenders = UpstreamSenders()
    behavior: Behavior = Behavior()
    probe_sender: Mailbox | None = None

    @model_validator(mode="after")
    def _an_smtp_upstream_has_a_host(self) -> "Upstream":
        if self.kind is UpstreamKind.SMTP and not self.host:
            raise ValueError("an upstream of kind Smtp needs a host; set spec.host of its UpstreamProvider")
        return self


class Retry(Frozen):
    """Exponential back-off between attempts, in seconds, before jitter."""

    initial: Annotated[int, Field(ge=1, le=86_400)] = 60
    max: Annotated[int, Field(ge=1, le=604_800)] = 3600


class Queue(Frozen):
    """How long mail is tried (`expire_after`, from acceptance) and how much may wait (`high_watermark`, messages)."""

    retry: Retry = Retry()
    expire_after: Annotated[int, Field(ge=60, le=2_592_000)] = 432_000
    high_watermark: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000


class BounceMode(StrEnum):
    """What happens to mail that failed for good: kept as a dead letter, or also reported by RFC 3464 mail."""

    RECORD = "Record"
    SEND = "Send"


class Bounces(Frozen):
    """`to` receives the reports in place of the envelope sender when it is set."""

    mode: BounceMode = BounceMode.RECORD
    to: Mailbox | None = None


class Limits(Frozen):
    """What one client may ask for. Sizes in bytes; 0 messages per minute means no such limit."""

    message_size: Annotated[int, Field(ge=1024, le=1_073_741_824)] = 26_214_400
    recipients: Annotated[int, Field(ge=1, le=10_000)] = 100
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    connections_per_client: Annotated[int, Field(ge=1, le=10_000)] = 50
    messages_per_minute_per_client: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    session_time: Annotated[int, Field(ge=10, le=86_400)] = 3600


class AliasType(StrEnum):
    """How an alias address matches; this is also the order of precedence, first to last (docs/aliases.md)."""

    EXACT = "Exact"
    SUB_ADDRESS = "SubAddress"
    WILDCARD = "Wildcard"
    CATCH_ALL = "CatchAll"


class Alias(Frozen):
    """One address pattern of a MailAlias and where it leads. `value` is in the form that `aliases` documents:

    `user@domain` for Exact and SubAddress (matches `user+tag@domain`), `prefix-*@domain` for Wildcard (one star,
    in the local part), `*@domain` for CatchAll.
    """

    namespace: Name
    name: ObjectName
    type: AliasType = AliasType.EXACT
    value: Annotated[str, Field(min_length=3, max_length=320)]
    destinations: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=100)]


class FromRewriting(StrEnum):
    """Whether a forward's From may be rewritten for upstreams that replace or refuse a foreign one."""

    AUTOMATIC = "Automatic"
    NEVER = "Never"


class Srs(Frozen):
    """Sender Rewriting Scheme for forwards; its secrets lie in the secrets (`srs.secret`, one a line, first signs)."""

    domain: Domain


Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Aliases(Frozen):
    """The own domains and every alias in them. `tables` are the digests of files with more entries (JSON arrays of
    `Alias`), named in order by `names.ALIAS_TABLE_FILES`; a reader waits until all are there.
    """

    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()
    entries: Annotated[tuple[Alias, ...], Field(max_length=50_000)] = ()
    tables: Annotated[tuple[Sha256, ...], Field(max_length=8)] = ()
    srs: Srs | None = None
    from_rewriting: FromRewriting = FromRewriting.AUTOMATIC


class Logging(Frozen):
    """`redact_addresses` leaves only the domain of each address in the log."""

    redact_addresses: bool = False


class RelayConfig(Frozen):
    """The whole configuration of one relay. `secret_revision` names the secrets that it was planned with."""

    contract_version: Literal[1]
    relay: RelayName
    hostname: Domain
    postmaster: Mailbox | None = None
    secret_revision: Annotated[str, Field(max_length=64)] = ""
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1, max_length=16)]
    clients: Clients = Clients()
    senders: Senders = Senders()
    upstreams: Annotated[tuple[Upstream, ...], Field(max_length=16)] = ()
    queue: Queue = Queue()
    bounces: Bounces = Bounces()
    limits: Limits = Limits()
    aliases: Aliases = Aliases()
    logging: Logging = Logging()

    @model_validator(mode="after")
    def _handles_are_unique(self) -> "RelayConfig":
        for what, names in (
            ("listeners", [one.name for one in self.listeners]),
            ("listeners' ports", [str(one.port) for one in self.listeners]),
            ("upstreams", [one.name for one in self.upstreams]),
            ("upstreams' providers", [one.provider for one in self.upstreams]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} repeat a name or port; each may appear once")
        return self
