"""The one place where an upstream's reply becomes an outcome (exceptions: `breakdown`).

`connection`, `transaction` and `probe` call it. The table in `replies.toml` decides; a reply that it does not know is
judged by stage and class, and held or tried again: only a row fails mail, for a wrong guess must not bounce it. It
cannot fail.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import re2

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.smtpout.local_parts import local_parts
from mailhaul_relay.smtpout.replies import Answer
from mailhaul_relay.smtpout.reply_table import Row, first_match, rows

NEW_TRANSACTION = frozenset({"too-many-recipients", "google-one-domain-per-transaction"})
"""The rows after which recipients go in a new transaction when others went in this one."""
_RECIPIENTS_OWN = frozenset({"recipient-mailbox-full", "recipient-storage-full", "recipient-rate"})
"""The rows of any other fault that speak of one recipient as well."""
_OF_WHOM = "quota-of-whom"
"""The row of which nobody knows whether it speaks of a recipient or of the account."""
SES_IDENTITY = "ses-identity-not-verified"
"""The row that names identities: one's own sender, or a recipient while the account is in the sandbox."""
_SESSION = frozenset({Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.TLS})
_BEFORE_MAIL = _SESSION | {Stage.AUTH}
"""Nothing of a message is known to the upstream here, so nothing that it says is a verdict on one."""
_REFUSED = {Stage.MAIL: Fault.SENDER, Stage.RCPT: Fault.RECIPIENT, Stage.END_OF_DATA: Fault.CONTENT}
_ADDRESS = re2.compile(r"[^\s,;<>:]+@[^\s,;<>:]+")
_HOST = re2.compile(r"[\w-]+(?:\.[\w-]+)+")
ANY_ADDRESS = re2.compile(r'"(?:[^"\\]|\\.)*"@[^\s<>(),;:"]+|[^\s<>(),;:"\[\]]+@[^\s<>(),;:"\[\]]+')
_MAILBOX = 45
"""The first digits of replies that refuse a mailbox or an action for now."""
_LATER_CODE = re2.compile(r"(?:^|[\s(#])([45]\.\d{1,3}\.\d{1,3})(?:[\s):,;]|$)")


@dataclass(frozen=True, slots=True)
class Context:
    """Whose mail it was, for replies that name addresses. `sender` is "" for the null sender."""

    from_domain: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()


def classify(profile: str, stage: Stage, reply: Reply, context: Context) -> Outcome:
    """Tell what a reply at a stage of a provider (`profile`, "smtp" for any other) means."""
    row = _row(profile, stage, _said(reply, context), context) if reply.code >= 400 else None
    if row is None or (row.verdict is Verdict.FAILED and stage in _BEFORE_MAIL):
        return _by_class(stage, reply)
    if row.name == SES_IDENTITY and _names_only_recipients(reply.text, context):
        return Outcome(Verdict.HOLD, stage, Fault.RECIPIENT, reply, remedy=_SANDBOX, rule="ses-sandbox-recipient")
    if row.verdict is Verdict.FAILED and row.fault is Fault.RECIPIENT and _names_only_sender(reply.text, context):
        return Outcome(Verdict.HOLD, stage, Fault.SENDER, reply, remedy=_SENDER, rule="sender-named-as-unknown")
    return Outcome(
        row.verdict, stage, row.fault, reply, remedy=row.remedy, rule=row.name,
        retry_elsewhere=row.verdict is Verdict.FAILED and _is_of_this_server(row),
    )  # fmt: skip


def _is_of_this_server(row: Row) -> bool:
    """Whether what it refuses for good may pass elsewhere: what it cannot carry, or a rule of content of its own."""
    return row.fault in {Fault.SIZE, Fault.CAPABILITY} or (row.fault is Fault.CONTENT and bool(row.profiles))


def judge(profile: str, stage: Stage, answer: Answer, context: Context) -> Outcome:
    """Tell what an answer means: by every word of it, of which those are not kept that the session logged in with."""
    outcome = classify(profile, stage, answer.said(), context)
    return replace(outcome, reply=answer.reply()) if answer.secrets else outcome


def is_of_one_recipient(outcome: Outcome, context: Context) -> bool:
    """Whether a refusal speaks of one recipient, so that after the final dot it is no verdict on the others: by its
    row, or since it names some of the mail's recipients and nobody else.
    """
    if outcome.fault is Fault.RECIPIENT or outcome.rule in _RECIPIENTS_OWN:
        return outcome.rule != _OF_WHOM
    names = outcome.reply is not None and _names_only_recipients(outcome.reply.text, context)
    return names and outcome.fault in {Fault.CONTENT, Fault.TRANSIENT}


def _row(profile: str, stage: Stage, said: Reply, context: Context) -> Row | None:
    """Give the row that decides. One that would stop the mail of others too is believed only if it decides without the
    local parts as well (`quota-exceeded@victim.example` may be repeated bare); nothing fails for what is left without.
    """
    row = first_match(rows(), profile, stage, said)
    if row is None or not _stops_others(row):
        return row
    marked = local_parts((context.sender, *context.recipients)).replaced(said.text, "", marked_only=True)
    if marked != said.text:
        row = _kept(first_match(rows(), profile, stage, replace(said, text=marked)))
    if row is None or not _stops_others(row):
        return row
    return _unknown_recipient(profile, stage, replace(said, text=marked), context) or row


def _unknown_recipient(profile: str, stage: Stage, said: Reply, context: Context) -> Row | None:
    """Give the row, to hold, that fails mail when the recipients' names are taken out of a reply wherever they stand:
    they may be words that a true reply needs ("daily"), so no other row counts. A 45x is read as the 55x that it
    would be for good.
    """
    text = local_parts(context.recipients).replaced(said.text, "")
    if text == said.text:
        return None
    for_good = said.code + 100 if said.code // 10 == _MAILBOX else said.code
    row = first_match(rows(), profile, stage, replace(said, code=for_good, text=text))
    if row is None or row.verdict is not Verdict.FAILED:
        return None
    return _kept(row) if for_good == said.code else replace(row, verdict=Verdict.RETRY)


def _stops_others(row: Row) -> bool:
    return row.verdict is not Verdict.FAILED and (row.fault.is_of_upstream or row.fault is Fault.SENDER)


def _kept(row: Row | None) -> Row | None:
    return replace(row, verdict=Verdict.HOLD) if row and row.verdict is Verdict.FAILED else row


def _said(reply: Reply, context: Context) -> Reply:
    """Give what the server itself says: with an enhanced code that stands later in the text, and without the addresses
    and domains of the mail, which others chose (a mail to `bob@quota-exceeded.example` must not stop an upstream).
    """
    text = ANY_ADDRESS.sub("", reply.text) if "@" in reply.text else reply.text
    if domains := mail_domains(context.from_domain, context.sender, context.recipients):
        text = _HOST.sub(lambda host: "" if host.group().lower() in domains else host.group(), text)
    later = None if reply.enhanced else _LATER_CODE.search(text)
    return replace(reply, enhanced=later.group(1) if later else reply.enhanced, text=text)


@lru_cache(maxsize=16)
def mail_domains(from_domain: str, sender: str, recipients: tuple[str, ...]) -> frozenset[str]:
    """The domains of a mail; kept, since each refused recipient of one mail asks."""
    return frozenset(one.rpartition("@")[2].lower() for one in (from_domain, sender, *recipients)) - {""}


def _by_class(stage: Stage, reply: Reply) -> Outcome:
    """Judge a reply that the table does not know."""
    if stage in _SESSION:
        fault = Fault.TLS if stage is Stage.TLS else Fault.CONNECTION
        return Outcome(Verdict.RETRY, stage, fault, reply, remedy=_SERVICE)
    if stage is Stage.AUTH:
        return Outcome(Verdict.HOLD, stage, Fault.AUTH, reply, remedy=_CREDENTIAL)
    if reply.code < 400:
        return Outcome(_unexpected(stage), stage, Fault.PROTOCOL, reply, remedy=_PROTOCOL)
    if reply.code < 500:
        return Outcome(Verdict.RETRY, stage, Fault.TRANSIENT, reply)
    remedy = _SENDER if stage is Stage.MAIL else _UNKNOWN
    return Outcome(Verdict.HOLD, stage, _REFUSED.get(stage, Fault.TRANSIENT), reply, remedy=remedy)


def _unexpected(stage: Stage) -> Verdict:
    """A positive reply where another was due: after the final dot nobody knows what it means."""
    return Verdict.UNKNOWN if stage is Stage.END_OF_DATA else Verdict.RETRY


def _names_only_recipients(text: str, context: Context) -> bool:
    named = {address.rstrip(".").lower() for address in _ADDRESS.findall(text)}
    recipients = {address.lower() for address in context.recipients}
    return bool(named) and context.sender.lower() not in named and named <= recipients


def _names_only_sender(text: str, context: Context) -> bool:
    """Whether it is one's own address or domain that is said to be unknown ("Domain example.com does not exist")."""
    addresses, hosts = _ADDRESS.findall(text), _HOST.findall(_ADDRESS.sub(" ", text))
    named = {one.strip(".'\"").lower() for one in (*addresses, *hosts)}
    theirs = {one.lower() for address in context.recipients for one in (address, address.rpartition("@")[2])}
    own = {context.from_domain, context.sender, context.sender.rpartition("@")[2]} - {""}
    return named.isdisjoint(theirs) and not named.isdisjoint({one.lower() for one in own} - theirs)


_SERVICE = "The upstream refuses service now; check its status page and that this network may connect to it."
_CREDENTIAL = "Check user name and password in the provider's Secret, and that SMTP AUTH is enabled for the account."
_SENDER = "Verify the sender's domain or address at the provider, or set senders.domains of the UpstreamProvider."
_PROTOCOL = "The upstream broke the protocol; check that host and port are those of an SMTP server."
_UNKNOWN = (
    "No rule knows this refusal, so the mail is kept: see the provider's console, and report the reply to Mailhaul."
)
_SANDBOX = "The SES account is in the sandbox, where recipients must be verified too: ask AWS for production access."
