"""The SMTP accounts of one relay: read from the Secret that it names, line by line.

Called by `relay_config`. What can be used goes into the assembled Secret as it stands, never into the configuration; a
line that cannot is left out with a finding that has its number and nothing of it. While the Secret is missing nobody
can log in: listeners answer 454, so that clients keep their mail. Nothing of before stays: accounts that are taken away
are to be gone. Pure.
"""

from mailhaul_contract.accounts import parse_accounts
from mailhaul_contract.names import SECRET_ACCOUNTS
from mailhaul_operator.api.relay_clients import AccountsSecretRef
from mailhaul_operator.plan.findings import ObjectRef, Reason
from mailhaul_operator.plan.references import Lookup, Source
from mailhaul_operator.plan.snapshot import Snapshot

TOLD = 10
"""Lines that are told one by one."""


def accounts(snapshot: Snapshot, lookup: Lookup, secret: dict[str, bytes]) -> None:
    """Add the accounts to `secret`."""
    named = snapshot.relay.spec.clients.accounts
    if named is None:
        return
    reference = named.secret_ref
    relay = ObjectRef("SmtpRelay", *snapshot.relay.metadata.key)
    absent = Source(relay, "spec.clients.accounts.secretRef", _consequence(snapshot))
    if not lookup.has_secret(absent, reference.name, Reason.ACCOUNTS_SECRET_MISSING):
        return
    content = lookup.secret_key(absent, reference.name, reference.key, ".key")
    if content is None:
        return
    usable = _usable(Source(relay, absent.field, "nobody can log in with it"), lookup, reference, content)
    if usable:
        secret[SECRET_ACCOUNTS] = usable


def _usable(source: Source, lookup: Lookup, reference: AccountsSecretRef, content: bytes) -> bytes:
    """Give the lines that can be used, and find the others."""
    parsed = parse_accounts(content)
    where = f"key {reference.key} of Secret {lookup.snapshot.namespace}/{reference.name}"
    for fault in parsed.faults[:TOLD]:
        line = f"line {fault.line} of {where}" if fault.line else where
        what = f"{line} cannot be used: {fault.reason}"
        lookup.findings.append(source.finding(Reason.ACCOUNT_UNUSABLE, what, fault.remedy, ".key"))
    if len(parsed.faults) > TOLD:
        more = f"{len(parsed.faults) - TOLD} more lines of {where} cannot be used"
        lookup.findings.append(source.finding(Reason.ACCOUNT_UNUSABLE, more, "mend those that are told first", ".key"))
    bad = {fault.line for fault in parsed.faults}
    if 0 in bad:
        return b""
    lines = content.split(b"\n")
    return b"\n".join(line.rstrip(b"\r") for number, line in enumerate(lines, 1) if number not in bad)


def _consequence(snapshot: Snapshot) -> str:
    names = [one.name for one in snapshot.relay.spec.listeners if one.takes_logins]
    return f"nobody can log in at listener {', '.join(sorted(names))}, and is told to try again later"
