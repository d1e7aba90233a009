"""Looks up what a resource names: a key of a Secret or a ConfigMap, with a finding when it is not usable.

Called by the parts of the plan that need a credential, a certificate or a key. Values never reach a finding.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mailhaul_operator.api.provider_tls import CaKind, CaRef
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.snapshot import Snapshot

MAX_TOKEN_PART = 8192


@dataclass(frozen=True, slots=True)
class Source:
    """Who names something, in which field, and what follows for mail while it is missing.

    `remedy` is given when nothing can be mended at the reference itself: it takes the place of the usual words.
    """

    object: ObjectRef
    field: str
    consequence: str
    remedy: str = ""

    def finding(self, reason: Reason, what: str, remedy: str, field: str = "") -> Finding:
        """Say what is wrong with a reference; `field` is added to the path."""
        path = self.field if self.remedy else self.field + field
        return Finding(self.object, path, reason, f"{what}; {self.consequence}", self.remedy or remedy)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Reads Secrets of the relay's namespace and collects what is wrong with them."""

    snapshot: Snapshot
    findings: list[Finding]

    def has_secret(self, source: Source, name: str, reason: Reason = Reason.SECRET_MISSING) -> bool:
        """Whether the Secret exists; says so when not."""
        namespace = self.snapshot.namespace
        if self.snapshot.resources.secret(namespace, name):
            return True
        self.findings.append(
            source.finding(
                reason,
                f"there is no Secret {namespace}/{name}",
                f"create Secret {name} in namespace {namespace}, or correct the reference",
                ".name",
            )
        )
        return False

    def has_key(self, name: str, key: str) -> bool:
        """Whether a Secret has the key, whatever it holds."""
        secret = self.snapshot.resources.secret(self.snapshot.namespace, name)
        return secret is not None and key in secret.keys

    def secret_key(self, source: Source, name: str, key: str, field: str = "") -> bytes | None:
        """Give the value of a key of a Secret that exists; None, and a finding, when it is absent, empty or not text.

        `field` is the reference's own field for the key, such as `.passwordKey`.
        """
        secret = self.snapshot.resources.secret(self.snapshot.namespace, name)
        where = f"Secret {self.snapshot.namespace}/{name}"
        value = secret.value(key) if secret else None
        if value is None:
            has = ", ".join(secret.keys) if secret and secret.keys else "no keys"
            self._say(
                source, field, Reason.SECRET_KEY_MISSING, f"{where} has no key {key}, it has {has}", f"add key {key}"
            )
        elif not value.strip():
            self._say(
                source, field, Reason.SECRET_KEY_EMPTY, f"key {key} of {where} is empty", f"give key {key} a value"
            )
        else:
            return value
        return None

    def fitting(self, source: Source, name: str, key: str, form: "Form", field: str = "") -> bytes | None:
        """As `secret_key`, and the value must have a form; None, and a finding, when it has not."""
        value = self.secret_key(source, name, key, field)
        if value is None or form.fits(value):
            return value
        what = f"key {key} of Secret {self.snapshot.namespace}/{name} is not {form.words}"
        self._say(source, field, Reason.SECRET_KEY_INVALID, what, f"write {form.words} into it")
        return None

    def authority(self, source: Source, reference: CaRef) -> str | None:
        """Give the PEM text of an authority; None, and a finding, when it is absent or not PEM."""
        namespace, resources = self.snapshot.namespace, self.snapshot.resources
        find = resources.config_map if reference.kind is CaKind.CONFIG_MAP else resources.secret
        holder = find(namespace, reference.name)
        value = holder.value(reference.key) if holder else None
        where = f"key {reference.key} of {reference.kind} {namespace}/{reference.name}"
        if value is None:
            remedy = f"create {reference.kind} {reference.name} with key {reference.key} in namespace {namespace}"
            self._say(source, "", Reason.CA_MISSING, f"there is no {where}", remedy)
        elif not is_certificate(value):
            remedy = "write the authority's certificate in PEM form, beginning with -----BEGIN CERTIFICATE-----"
            self._say(source, "", Reason.CA_NOT_PEM, f"{where} is not PEM", remedy)
        else:
            return value.decode("ascii")
        return None

    def _say(self, source: Source, field: str, reason: Reason, what: str, remedy: str) -> None:
        self.findings.append(source.finding(reason, what, remedy, field))


@dataclass(frozen=True, slots=True)
class Form:
    """What a value must be, in words and as a check."""

    words: str
    fits: Callable[[bytes], bool]


def is_certificate(value: bytes) -> bool:
    """Whether this looks like one or more certificates in PEM form (RFC 7468)."""
    ends = value.count(b"-----END CERTIFICATE-----")
    return value.isascii() and ends > 0 and value.count(b"-----BEGIN CERTIFICATE-----") == ends


def is_private_key(value: bytes) -> bool:
    """Whether this looks like an unencrypted private key in PEM form (RFC 7468)."""
    plain = b"ENCRYPTED" not in value
    return value.isascii() and plain and b"PRIVATE KEY-----" in value and value.lstrip().startswith(b"-----BEGIN ")


def is_token_part(value: bytes) -> bool:
    """Whether this is printable ASCII on one line, as a form and a SASL response can carry it, but for line ends."""
    text = value.strip(b"\r\n")
    return len(text) <= MAX_TOKEN_PART and all(0x20 <= octet <= 0x7E for octet in text)


def is_one_line(value: bytes) -> bool:
    """Whether this is text on one line, but for line ends around it, as SASL needs it (RFC 4616: no NUL)."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return False
    return not any(character in text.strip("\r\n") for character in "\0\r\n")


CERTIFICATE = Form("a certificate in PEM form", is_certificate)
PRIVATE_KEY = Form("an unencrypted private key in PEM form", is_private_key)
ONE_LINE = Form("text on one line", is_one_line)
TOKEN_PART = Form("printable ASCII text on one line of at most 8192 characters", is_token_part)
