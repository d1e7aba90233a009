"""What is wrong with all resources together and belongs to no single relay's plan.

Called beside `plan` by whoever has everything: `validate`, `up`. Pure.
"""

from collections import defaultdict

from mailhaul_operator.api.resources import Resources
from mailhaul_operator.plan.aliases import reference
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason, in_order
from mailhaul_operator.plan.reserves import reserves_not_used


def survey(resources: Resources) -> tuple[Finding, ...]:
    """Give the findings: unused providers and reserves, aliases of no relay, host names that repeat, no relay."""
    findings = [*_unused(resources), *reserves_not_used(resources)]
    findings += [*_lost_aliases(resources), *_repeated_hostnames(resources)]
    if not resources.relays:
        text = "there is no SmtpRelay, so nothing takes mail"
        findings.append(Finding(ObjectRef(), "", Reason.NO_RELAY, text, "add an SmtpRelay (see examples/smallest)"))
    return in_order(findings)


def _unused(resources: Resources) -> list[Finding]:
    used = {
        (relay.metadata.namespace, upstream.provider_ref.name)
        for relay in resources.relays
        for upstream in relay.spec.upstreams
    }
    return [
        Finding(
            ObjectRef("UpstreamProvider", *provider.metadata.key),
            "metadata.name",
            Reason.PROVIDER_NOT_USED,
            f"no SmtpRelay of namespace {provider.metadata.namespace} names this provider",
            "add it to spec.upstreams of an SmtpRelay, or remove it",
        )
        for provider in resources.providers
        if provider.metadata.key not in used
    ]


def _lost_aliases(resources: Resources) -> list[Finding]:
    relays = {relay.metadata.key for relay in resources.relays}
    return [
        Finding(
            reference(alias),
            "spec.relayRef.name",
            Reason.RELAY_UNKNOWN,
            f"there is no SmtpRelay {'/'.join(alias.relay)}",
            "correct name and namespace of the reference, or create that SmtpRelay",
        )
        for alias in resources.aliases
        if alias.relay not in relays
    ]


def _repeated_hostnames(resources: Resources) -> list[Finding]:
    relays_of: defaultdict[str, list[str]] = defaultdict(list)
    for relay in resources.relays:
        if relay.spec.hostname:
            relays_of[relay.spec.hostname].append("/".join(relay.metadata.key))
    return [
        Finding(
            ObjectRef("SmtpRelay", *relay.metadata.key),
            "spec.hostname",
            Reason.HOSTNAME_REPEATED,
            f"{relay.spec.hostname} is the host name of {' and '.join(sorted(relays_of[relay.spec.hostname]))}",
            "give each relay its own host name, so that Received headers and loop counts tell them apart",
        )
        for relay in resources.relays
        if len(relays_of.get(relay.spec.hostname, ())) > 1
    ]
