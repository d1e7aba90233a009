"""What is wrong with a set of resources, as values: object, field, reason, words, remedy.

Every part of `plan` makes them; `validate` prints them, `up` tells them, the operator turns them into conditions.
A reason is a stable CamelCase word with one meaning, listed in docs/up.md. No finding repeats a secret's value.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Severity(StrEnum):
    """Error: mail is refused, held or not forwarded. Warning: it works, yet hardly as meant. Note: good to know."""

    ERROR = "Error"
    WARNING = "Warning"
    NOTE = "Note"


class Reason(StrEnum):
    """Why there is a finding. Each has one meaning and one severity, whatever the object."""

    meaning: str
    severity: Severity

    def __new__(cls, value: str, severity: Severity, meaning: str) -> Self:
        """Make a member that knows its severity and meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.severity = severity
        member.meaning = meaning
        return member

    SECRET_MISSING = "SecretMissing", Severity.ERROR, "A Secret that a resource names does not exist in its namespace."
    SECRET_KEY_MISSING = "SecretKeyMissing", Severity.ERROR, "The Secret exists, but lacks the key."
    SECRET_KEY_EMPTY = "SecretKeyEmpty", Severity.ERROR, "The key of the Secret exists, but holds nothing."
    SECRET_KEY_INVALID = (
        "SecretKeyInvalid",
        Severity.ERROR,
        "The key of the Secret holds something that cannot be used there.",
    )
    CA_MISSING = "CAMissing", Severity.ERROR, "The ConfigMap, Secret or key with the authority's certificate is absent."
    CA_NOT_PEM = "CANotPEM", Severity.ERROR, "The authority's certificate is not PEM text."
    TLS_SECRET_MISSING = (
        "TLSSecretMissing",
        Severity.ERROR,
        "A listener's Secret with certificate and key is absent or unusable: the last good one stays, or it is shut.",
    )
    ACCOUNTS_SECRET_MISSING = (
        "AccountsSecretMissing",
        Severity.ERROR,
        "Clients may log in at a listener, but the Secret with the SMTP accounts is absent or unusable: nobody can.",
    )
    ACCOUNT_UNUSABLE = (
        "AccountUnusable",
        Severity.ERROR,
        "A line of the Secret with the SMTP accounts cannot be used: nobody can log in with it. The others go on.",
    )
    UPSTREAM_UNKNOWN = (
        "UpstreamUnknown",
        Severity.ERROR,
        "A relay's upstream names an UpstreamProvider that does not exist in its namespace, or that is not valid.",
    )
    NO_UPSTREAM = (
        "NoUpstream",
        Severity.ERROR,
        "A relay has no upstream that can be used: it keeps all mail and sends none.",
    )
    ROUTE_UPSTREAM_UNKNOWN = (
        "RouteUpstreamUnknown",
        Severity.ERROR,
        "A route names an upstream that the relay does not have; the route does without it.",
    )
    ROUTE_WITHOUT_UPSTREAM = (
        "RouteWithoutUpstream",
        Severity.ERROR,
        "None of the upstreams of a route can be used: the relay keeps the mail of the route and sends none of it.",
    )
    ROUTE_NEVER_TAKEN = (
        "RouteNeverTaken",
        Severity.WARNING,
        "No mail can take a route: one before it takes all, or it is for accounts and the relay has none.",
    )
    QUOTA_TOO_SMALL = (
        "QuotaTooSmall",
        Severity.ERROR,
        "A quota is so small that no replica's part of it is a single message: nothing is sent through the provider.",
    )
    IMPORTANT_WITHOUT_RESERVE = (
        "ImportantWithoutReserve",
        Severity.WARNING,
        "A route is important, but no quota of its upstreams keeps a reserve: its mail gets no more than any other.",
    )
    RESERVE_NOT_USED = (
        "ReserveNotUsed",
        Severity.WARNING,
        "A quota keeps a reserve, but no important route leads to its provider: nobody may use that part.",
    )
    EXTERNAL_SECRETS_ABSENT = (
        "ExternalSecretsAbsent",
        Severity.ERROR,
        "A provider has `auth.externalSecret`, but External Secrets is not installed in the cluster.",
    )
    PROVIDER_NOT_USED = "ProviderNotUsed", Severity.WARNING, "No relay names this UpstreamProvider."
    SENDER_DOMAIN_NOT_SENDABLE = (
        "SenderDomainNotSendable",
        Severity.ERROR,
        "A From domain is allowed by the relay, but no upstream that it leads to may send it: such mail is refused.",
    )
    SRS_SECRET_MISSING = (
        "SRSSecretMissing",
        Severity.ERROR,
        "The Secret that signs rewritten envelope senders is absent or unusable: forwards keep the sender's own.",
    )
    RELAY_UNKNOWN = "RelayUnknown", Severity.ERROR, "A MailAlias names an SmtpRelay that does not exist."
    ALIAS_DOMAIN_NOT_OWN = (
        "AliasDomainNotOwn",
        Severity.ERROR,
        "The domain of an alias address is not in the relay's `spec.aliases.domains`.",
    )
    NAMESPACE_NOT_ALLOWED = (
        "NamespaceNotAllowed",
        Severity.ERROR,
        "The relay gives aliases of this namespace no consent for that domain.",
    )
    ALIAS_CONFLICT = "AliasConflict", Severity.ERROR, "An older MailAlias has the same address; that one keeps it."
    ALIAS_SHADOWED = (
        "AliasShadowed",
        Severity.WARNING,
        "Patterns of higher precedence take every address of this one: it never receives mail.",
    )
    ALIAS_CYCLE = (
        "AliasCycle",
        Severity.ERROR,
        "Aliases lead to one another in a circle; the destinations inside the circle are left out.",
    )
    ALIAS_DESTINATION_UNKNOWN = (
        "AliasDestinationUnknown",
        Severity.WARNING,
        "A destination is in one of the relay's own domains and no alias has it: if MX leads here, mail comes back.",
    )
    ALIAS_CHAIN_TOO_LONG = (
        "AliasChainTooLong",
        Severity.ERROR,
        "An alias leads through more aliases, one after the other, than a relay follows: its mail is refused.",
    )
    TOO_MANY_ALIASES = (
        "TooManyAliases",
        Severity.ERROR,
        "The aliases of a relay do not fit into its tables; the last good configuration stays.",
    )
    UPSTREAM_REFUSES_FOREIGN_FROM = (
        "UpstreamRefusesForeignFrom",
        Severity.ERROR,
        "No upstream may send a stranger's From for this alias, neither as it is nor rewritten: such mail is refused.",
    )
    SERVICE_MONITOR_ABSENT = (
        "ServiceMonitorAbsent",
        Severity.WARNING,
        "A relay asks for a ServiceMonitor, but the Prometheus operator is not installed in the cluster.",
    )
    HOSTNAME_REPEATED = "HostnameRepeated", Severity.WARNING, "Two relays greet with the same host name."
    ONE_PROCESS = "OneProcess", Severity.NOTE, "`mailhaul up` runs one process for a relay, whatever its replicas."
    NO_RELAY = "NoRelay", Severity.WARNING, "The resources have no SmtpRelay: nothing runs."
    INVALID = (
        "Invalid",
        Severity.ERROR,
        "A document is not a resource of its kind: a field is unknown, absent or wrong.",
    )
    UNREADABLE = "Unreadable", Severity.ERROR, "A file cannot be read, or is not YAML."
    CONFIGURATION_INVALID = (
        "ConfigurationInvalid",
        Severity.ERROR,
        "The resources are valid one by one, but together make no relay configuration; the last good one stays.",
    )


OF_ABSENCE = frozenset(
    {
        Reason.SECRET_MISSING,
        Reason.CA_MISSING,
        Reason.TLS_SECRET_MISSING,
        Reason.ACCOUNTS_SECRET_MISSING,
        Reason.SRS_SECRET_MISSING,
        Reason.UPSTREAM_UNKNOWN,
        Reason.NO_UPSTREAM,
        Reason.ROUTE_WITHOUT_UPSTREAM,
        Reason.PROVIDER_NOT_USED,
        Reason.RELAY_UNKNOWN,
        Reason.NO_RELAY,
    }
)
"""They say that something is not there, which nobody knows while some documents could not be read."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """A resource by kind, namespace and name. All empty for what belongs to no resource."""

    kind: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a resource. `field` is a path like `spec.upstreams[0].providerRef.name`; `rival` is the
    other resource that it names, where that one is to be told too (the alias that keeps an address).
    """

    object: ObjectRef
    field: str
    reason: Reason
    message: str
    remedy: str
    rival: ObjectRef = ObjectRef()

    @property
    def severity(self) -> Severity:
        """How bad it is; the reason decides."""
        return self.reason.severity

    def to_json(self) -> dict[str, str]:
        """Give the form of golden files and of `validate -o json`."""
        return {
            "kind": self.object.kind,
            "namespace": self.object.namespace,
            "name": self.object.name,
            "field": self.field,
            "reason": self.reason.value,
            "severity": self.severity.value,
            "message": self.message,
            "remedy": self.remedy,
        }


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sort findings by object and field and drop repetitions, so that the order of inputs never shows."""
    return tuple(sorted(set(findings), key=lambda one: (one.object, one.field, one.reason.value, one.message)))
