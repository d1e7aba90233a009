"""The page of Markdown about the providers' profiles, generated from `profiles.toml`. Failures: none."""

from collections.abc import Iterator

from mailhaul_contract.upstream import TlsMode
from mailhaul_operator.api.amounts import format_quantity
from mailhaul_operator.api.profiles import FreeQuota, Profile, profiles
from mailhaul_operator.api.reference import GENERATED

_INTRODUCTION = """# Providers

What `type` of an UpstreamProvider implies. Every value can be set in the resource where yours differs.
Quotas are those of accounts without payment, as read in November 2026; they are not enforced yet."""


def provider_reference() -> str:
    """Give the page."""
    sections = [f"## {kind}\n\n" + "\n".join(_section(one)) for kind, one in profiles().items()]
    return "\n\n".join([GENERATED, _INTRODUCTION, _overview(), *sections]).rstrip() + "\n"


def _overview() -> str:
    rows = ["| type | foreign From | envelope sender | null sender | largest message | recipients |", "|" + "---|" * 6]
    for kind, one in profiles().items():
        treatment = one.treatment
        size, most = treatment.max_message_size, treatment.max_recipients
        told = (f"{treatment.foreign_from}", f"{treatment.envelope_sender}", f"{treatment.null_sender}")
        limits = (format_quantity(size) if size else "-", str(most or "-"))
        rows.append(f"| [{kind}](#{kind}) | " + " | ".join((*told, *limits)) + " |")
    return "\n".join(rows)


def _section(one: Profile) -> Iterator[str]:
    yield f"[{one.title}]({one.documentation})"
    yield ""
    if one.host or one.host_example:
        yield f"- host `{one.host}`" if one.host else f"- host: must be given, like `{one.host_example}`"
        yield f"- port {one.port}, {_secured(one.tls)}"
    if one.other_hosts:
        yield "- other hosts: " + ", ".join(f"`{host}`" for host in one.other_hosts)
    if one.alternates:
        ports = (f"{other.port} ({_secured(other.tls)})" for other in one.alternates)
        yield "- other ports, where a network blocks that one: " + ", ".join(ports)
    if one.login.username:
        fixed = ", the same for every account, so that the Secret may leave it out" if one.login.fixed else ""
        yield f"- user name: {one.login.username}{fixed}"
        yield f"- password: {one.login.password}"
    if one.oauth:
        yield f"- access tokens (`auth.mechanism: XOAuth2`) from `{one.oauth.token_url}`"
    yield from (f"- without payment {_quota(quota)}" for quota in one.quotas)
    if one.treatment.unique_headers:
        yield "- headers that may appear once: " + ", ".join(one.treatment.unique_headers)
    yield from (f"- {note}" for note in one.notes)


def _secured(mode: TlsMode) -> str:
    return {TlsMode.NONE: "no TLS", TlsMode.START_TLS: "STARTTLS", TlsMode.IMPLICIT: "implicit TLS"}[mode]


def _quota(quota: FreeQuota) -> str:
    trial = f", for the first {quota.trial_days} days" if quota.trial_days else ""
    return f"{quota.limit} {quota.counts.lower()} a {quota.period.lower()}{trial}"
