"""`Reason`: every reason of every condition, with what it means and what to do; one enum for the three kinds.

What the plan finds keeps the plan's own reason and meaning. docs/status.md has the table, and a test keeps it in step.
Pure.
"""

from enum import StrEnum
from typing import Self

from mailhaul_operator.plan.findings import Reason as Found


class Reason(StrEnum):
    """Why a condition is as it is. Each has one meaning; `remedy` is the usual one ("" where nothing is to be done)."""

    meaning: str
    remedy: str

    def __new__(cls, value: str, meaning: str = "", remedy: str = "") -> Self:
        """Make a member that knows its meaning and remedy."""
        member = str.__new__(cls, str(value))
        member._value_ = str(value)
        member.meaning = meaning
        member.remedy = remedy
        return member

    # Good
    MAIL_LEAVES = "MailLeaves", "A provider has accepted mail with the settings in use."
    UPSTREAM_ANSWERS = "UpstreamAnswers", "The probe passed every stage; no mail was sent yet."
    APPLIED = "Applied", "Every replica runs the newest configuration."
    QUEUE_MOVES = "QueueMoves", "No mail is held, the watermark is far, every record can be read."
    DURABLE = "Durable", "Mail is kept on a volume that outlives the pod."
    FORWARDING = "Forwarding", "The relay runs a configuration with this alias and forwards its mail."
    ALIAS_ACCEPTED = "AliasAccepted", "The relay takes every address of this alias."
    NO_CONFLICT = "NoConflict", "No other alias claims an address of this one."
    QUOTA_SUFFICIENT = "QuotaSufficient", "At the rate of late every quota lasts until it begins anew."
    CREDENTIAL_FOUND = (
        "CredentialFound",
        "The credential is there and complete; `Authenticated` says whether it is taken.",
    )
    NO_CREDENTIAL_NEEDED = "NoCredentialNeeded", "The provider is used without user name and password."
    CONNECTED = "Connected", "The provider answers."
    CERTIFICATE_VALID = "CertificateValid", "TLS is on, and the certificate is valid for the host."
    LOGGED_IN = "LoggedIn", "The provider has taken the credential."
    MESSAGE_ACCEPTED = "MessageAccepted", "The provider has accepted a message, so it takes our From."
    BUILT_IN = "BuiltIn", "`type: capture`: the relay's own inbox keeps the mail, nothing leaves."
    NOT_IN_USE = "NotInUse", "No relay sends through this provider, so nobody tries it."

    # Under way
    PODS_STARTING = "PodsStarting", "Replicas are not there yet, or have not reported yet."
    CONFIG_PENDING = "ConfigPending", "Not every replica runs the newest configuration yet."
    AWAITING_MOUNTS = "AwaitingMounts", "A replica waits until its Secret or a table of aliases is mounted too."
    AWAITING_REPORT = "AwaitingReport", "No replica has told anything yet."
    PROBING = "Probing", "It is being tried whether an upstream answers."
    SCALING_DOWN = "ScalingDown", "A leaving replica still holds mail; it goes when that is delivered."
    NOTHING_SENT_YET = "NothingSentYet", "No mail was sent yet, and no fault is known."
    NOTHING_DELIVERED_YET = (
        "NothingDeliveredYet",
        "Mail has failed for its own recipient or size, or with settings of before; none was delivered since.",
    )
    NOT_REACHED = "NotReached", "An earlier stage failed, so this one was not tried."
    SENDER_NOT_PROVED = (
        "SenderNotProved",
        "Whether the From is taken shows with the first message: providers refuse it only after the final dot.",
    )

    # Replicas
    NO_REPLICAS = "NoReplicas", "`spec.replicas` is 0: nothing takes or sends mail.", "set spec.replicas to 1 or more"
    REPLICA_UNREACHABLE = (
        "ReplicaUnreachable",
        "A replica has not answered for two minutes.",
        "see the pod's state and log, and whether a NetworkPolicy keeps the operator from port 9090",
    )
    IMAGE_PULL_FAILED = (
        "ImagePullFailed",
        "The image of a replica cannot be pulled.",
        "make the image available to the node, or correct the operator's image setting and pull secrets",
    )
    CONTAINER_FAILING = "ContainerFailing", "The container of a replica ends or cannot start.", "see the pod's log"
    POD_UNSCHEDULABLE = (
        "PodUnschedulable",
        "No node takes a replica.",
        "free or add room on a node, or change spec.resources, spec.podTemplate or the StorageClass",
    )
    CONFIG_REFUSED = (
        "ConfigRefused",
        "A replica refuses the newest configuration and goes on with the last good one.",
        "correct the field that the reason names; if there is none, report it as a bug",
    )
    NOT_ACCEPTING = "NotAccepting", "A replica takes no mail.", "see the reason, and the replica's log"
    CLIENT_IDENTITY_LOST = (
        "ClientIdentityLost",
        "Connections come from a node's address, not from their client: they are not trusted.",
        "keep their address (externalTrafficPolicy Local), let them log in, or name that host in allowedNetworks",
    )

    # Upstreams and delivery
    CONNECTION_FAILED = (
        "ConnectionFailed",
        "No conversation with the provider comes about.",
        "check spec.host and spec.port of the UpstreamProvider, and that the network lets it through",
    )
    TLS_FAILED = "TLSFailed", "TLS with the provider fails, or its certificate is not valid.", "check spec.tls"
    CREDENTIAL_REFUSED = (
        "CredentialRefused",
        "The provider refuses user name or password.",
        "check user name and password in the provider's Secret, and the account at the provider",
    )
    TOKEN_UNAVAILABLE = (
        "TokenUnavailable",
        "The token server gives no access token, so that nobody can log in at the provider; it is tried again.",
        "check spec.auth.oauth of the UpstreamProvider, and that the network lets the relay reach the token server",
    )
    NEW_CREDENTIAL_REFUSED = (
        "NewCredentialRefused",
        "The provider refuses the new credential; mail still leaves with the one before.",
        "correct the Secret before the old credential ends (after 24 hours, or when the provider revokes it)",
    )
    QUOTA_EXHAUSTED = (
        "QuotaExhausted",
        "The provider takes no more mail in this period.",
        "wait for the next period, raise the quota, or add another upstream",
    )
    QUOTA_LOW = (
        "QuotaLow",
        "At the rate of late a quota is used up before it begins anew.",
        "send less, raise the quota, or add another upstream",
    )
    TRIAL_ENDING = (
        "TrialEnding",
        "The trial to which a quota belongs ends within two weeks.",
        "decide on a paid plan, or add another upstream",
    )
    TRIAL_ENDED = (
        "TrialEnded",
        "The trial to which a quota belongs is over; its limit still holds here.",
        "write the limits of the account as it is now into spec.quotas",
    )
    THROTTLED = (
        "Throttled",
        "The provider wants less mail at a time.",
        "set spec.rateLimit of the UpstreamProvider lower",
    )
    SENDER_REFUSED = (
        "SenderRefused",
        "The provider refuses a From domain.",
        "verify the domain at the provider, or set spec.senders.domains and rewriteFrom there",
    )
    UPSTREAM_FAILING = "UpstreamFailing", "An upstream is passed over for another fault.", "see the provider's words"
    NOT_DELIVERING = (
        "NotDelivering",
        "Mail waits, and none has left for `spec.delivery.staleAfter`.",
        "see the last error, and `mailhaul queue list`",
    )
    MAIL_FAILS = (
        "MailFails",
        "Accepted mail fails for good, for more than its own recipient or size, and none has left since.",
        "see the last error, and `mailhaul queue list --state dead`",
    )
    SUSPENDED = (
        "Suspended",
        "`spec.delivery.suspended` is true: mail is accepted and held.",
        "set spec.delivery.suspended to false",
    )
    CAPTURED = (
        "Captured",
        "`spec.delivery.mode` is Capture: mail is kept in the relay's inbox and reaches nobody.",
        "set spec.delivery.mode to Live",
    )
    REDIRECTED = (
        "Redirected",
        "Mail goes to `spec.delivery.redirectTo` in place of its recipients.",
        "remove spec.delivery.redirectTo",
    )
    TLS_OFF = "TLSOff", "TLS towards the provider is off, or its certificate is not verified, as its spec says."

    # Queue
    MAIL_ON_HOLD = (
        "MailOnHold",
        "A person holds mail with `mailhaul queue hold`; it waits until somebody releases it, or it expires.",
        "release it with `mailhaul queue release`, or leave it",
    )
    MAIL_HELD = "MailHeld", "Mail is held until a fault of the upstreams is mended.", "mend what the last error names"
    QUEUE_NEARLY_FULL = (
        "QueueNearlyFull",
        "A replica holds four fifths of `spec.queue.highWatermark` or more; at the watermark it answers 452.",
        "let mail leave, or raise spec.queue.highWatermark",
    )
    RECORDS_QUARANTINED = (
        "RecordsQuarantined",
        "Records in the queue cannot be read and are set aside.",
        "keep the volume and report it as a bug",
    )
    DEAD_LETTERS = (
        "DeadLetters",
        "Mail failed for good and is kept for a person.",
        "`mailhaul queue list --state dead`, then retry or drop",
    )
    EPHEMERAL = (
        "Ephemeral",
        "`spec.queue.mode` is Ephemeral: mail that waits is lost with its pod.",
        "set spec.queue.mode to Persistent",
    )

    # Objects
    NAME_TAKEN = "NameTaken", "An object with a name that is needed is not ours.", "see the message"
    FORBIDDEN = (
        "Forbidden",
        "The API server does not let the operator make an object.",
        "grant the right or lift the policy",
    )
    INVALID = "Invalid", "The API server, or the kind's own rules, refuse an object.", "correct the field that it names"
    KIND_NOT_SERVED = "KindNotServed", "The cluster does not serve a kind that is needed.", "install what serves it"
    TERMINATION_BLOCKED = (
        "TerminationBlocked",
        "An object is being deleted and a finalizer keeps it.",
        "let its controller finish, or remove the finalizer",
    )
    VOLUME_CANNOT_GROW = (
        "VolumeCannotGrow",
        "A volume cannot be made as large as `spec.queue.storage.size` says.",
        "set allowVolumeExpansion: true in the StorageClass, or make the relay again with the former size",
    )
    NOT_APPLIED = "NotApplied", "An object could not be made as it should be, for another cause.", "see the message"

    # Credentials from elsewhere
    EXTERNAL_SECRETS_ABSENT = (
        "ExternalSecretsAbsent",
        "The cluster has no External Secrets operator.",
        "install it, or name a Secret in spec.auth.secretRef",
    )
    EXTERNAL_SECRET_NOT_SYNCED = (
        "ExternalSecretNotSynced",
        "External Secrets could not read the credential; the last good one stays in use.",
        "see the ExternalSecret's own conditions, and its store",
    )

    # Aliases
    CONFLICT_WON = (
        "ConflictWon",
        "Another alias claims an address of this one, which is older and keeps it.",
        "remove the address from one of the two",
    )
    RELAY_NOT_READY = (
        "RelayNotReady",
        "The alias is in force, but the relay's mail does not leave.",
        "see the SmtpRelay",
    )

    # What the plan finds, with its meaning
    SECRET_MISSING = Found.SECRET_MISSING, Found.SECRET_MISSING.meaning, "create the Secret"
    SECRET_KEY_MISSING = Found.SECRET_KEY_MISSING, Found.SECRET_KEY_MISSING.meaning, "add the key"
    SECRET_KEY_EMPTY = Found.SECRET_KEY_EMPTY, Found.SECRET_KEY_EMPTY.meaning, "give the key a value"
    SECRET_KEY_INVALID = Found.SECRET_KEY_INVALID, Found.SECRET_KEY_INVALID.meaning, "correct the value"
    CA_MISSING = Found.CA_MISSING, Found.CA_MISSING.meaning, "create it, or correct the reference"
    CA_NOT_PEM = Found.CA_NOT_PEM, Found.CA_NOT_PEM.meaning, "write the certificate in PEM form"
    TLS_SECRET_MISSING = Found.TLS_SECRET_MISSING, Found.TLS_SECRET_MISSING.meaning, "create or correct the Secret"
    ACCOUNTS_SECRET_MISSING = (
        Found.ACCOUNTS_SECRET_MISSING,
        Found.ACCOUNTS_SECRET_MISSING.meaning,
        "create or correct the Secret",
    )
    ACCOUNT_UNUSABLE = Found.ACCOUNT_UNUSABLE, Found.ACCOUNT_UNUSABLE.meaning, "correct the line"
    UPSTREAM_UNKNOWN = Found.UPSTREAM_UNKNOWN, Found.UPSTREAM_UNKNOWN.meaning, "create the UpstreamProvider"
    QUOTA_TOO_SMALL = (
        Found.QUOTA_TOO_SMALL,
        Found.QUOTA_TOO_SMALL.meaning,
        "raise the limit, or let fewer replicas send through the provider",
    )
    IMPORTANT_WITHOUT_RESERVE = (
        Found.IMPORTANT_WITHOUT_RESERVE,
        Found.IMPORTANT_WITHOUT_RESERVE.meaning,
        "set reservePercent in spec.quotas of an UpstreamProvider of the route, or remove important",
    )
    RESERVE_NOT_USED = (
        Found.RESERVE_NOT_USED,
        Found.RESERVE_NOT_USED.meaning,
        "mark a route of a relay as important, or remove reservePercent",
    )
    NO_UPSTREAM = Found.NO_UPSTREAM, Found.NO_UPSTREAM.meaning, "mend what the message names, or add an upstream"
    ROUTE_UPSTREAM_UNKNOWN = (
        Found.ROUTE_UPSTREAM_UNKNOWN,
        Found.ROUTE_UPSTREAM_UNKNOWN.meaning,
        "correct the name, or add that upstream to spec.upstreams",
    )
    ROUTE_WITHOUT_UPSTREAM = (
        Found.ROUTE_WITHOUT_UPSTREAM,
        Found.ROUTE_WITHOUT_UPSTREAM.meaning,
        "mend what the message names, or add an upstream to the route",
    )
    ROUTE_NEVER_TAKEN = (
        Found.ROUTE_NEVER_TAKEN,
        Found.ROUTE_NEVER_TAKEN.meaning,
        "move it before the route that takes all mail, or set clients.accounts",
    )
    SENDER_DOMAIN_NOT_SENDABLE = (
        Found.SENDER_DOMAIN_NOT_SENDABLE,
        Found.SENDER_DOMAIN_NOT_SENDABLE.meaning,
        "add the domain to spec.senders.domains of an UpstreamProvider",
    )
    SRS_SECRET_MISSING = Found.SRS_SECRET_MISSING, Found.SRS_SECRET_MISSING.meaning, "create or correct the Secret"
    RELAY_UNKNOWN = Found.RELAY_UNKNOWN, Found.RELAY_UNKNOWN.meaning, "create the SmtpRelay, or correct spec.relayRef"
    ALIAS_DOMAIN_NOT_OWN = (
        Found.ALIAS_DOMAIN_NOT_OWN,
        Found.ALIAS_DOMAIN_NOT_OWN.meaning,
        "add the domain to the relay's spec.aliases.domains",
    )
    NAMESPACE_NOT_ALLOWED = (
        Found.NAMESPACE_NOT_ALLOWED,
        Found.NAMESPACE_NOT_ALLOWED.meaning,
        "widen `namespaces` of the domain in the relay's spec.aliases.domains",
    )
    ALIAS_CONFLICT = Found.ALIAS_CONFLICT, Found.ALIAS_CONFLICT.meaning, "remove the address from one of the two"
    ALIAS_SHADOWED = Found.ALIAS_SHADOWED, Found.ALIAS_SHADOWED.meaning, "use another address, or narrow the other"
    ALIAS_CYCLE = Found.ALIAS_CYCLE, Found.ALIAS_CYCLE.meaning, "let one alias lead to a mailbox elsewhere"
    ALIAS_DESTINATION_UNKNOWN = (
        Found.ALIAS_DESTINATION_UNKNOWN,
        Found.ALIAS_DESTINATION_UNKNOWN.meaning,
        "name a mailbox elsewhere, or make an alias for it",
    )
    ALIAS_CHAIN_TOO_LONG = Found.ALIAS_CHAIN_TOO_LONG, Found.ALIAS_CHAIN_TOO_LONG.meaning, "lead to mailboxes directly"
    UPSTREAM_REFUSES_FOREIGN_FROM = (
        Found.UPSTREAM_REFUSES_FOREIGN_FROM,
        Found.UPSTREAM_REFUSES_FOREIGN_FROM.meaning,
        "add an upstream that keeps a foreign From, or set rewriteFrom",
    )
    TOO_MANY_ALIASES = Found.TOO_MANY_ALIASES, Found.TOO_MANY_ALIASES.meaning, "spread the aliases over several relays"
    SERVICE_MONITOR_ABSENT = (
        Found.SERVICE_MONITOR_ABSENT,
        Found.SERVICE_MONITOR_ABSENT.meaning,
        "install the Prometheus operator, or set spec.monitoring.serviceMonitor to false",
    )
    HOSTNAME_REPEATED = Found.HOSTNAME_REPEATED, Found.HOSTNAME_REPEATED.meaning, "give each its own host name"
    CONFIGURATION_INVALID = (
        Found.CONFIGURATION_INVALID,
        Found.CONFIGURATION_INVALID.meaning,
        "correct the field that the message names",
    )


def reason_of(word: str) -> Reason:
    """Give the member of a finding's or an obstacle's word; `NotApplied` for one that is not known here."""
    try:
        return Reason(str(word))
    except ValueError:
        return Reason.NOT_APPLIED


def table() -> list[str]:
    """Give the rows of docs/status.md: reason, meaning, usual remedy."""
    return [f"| `{one.value}` | {one.meaning} | {one.remedy or '-'} |" for one in Reason]
