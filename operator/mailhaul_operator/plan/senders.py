"""The sender rules and the reach of one relay, as its configuration says them. Called by `relay_config`. Pure."""

from mailhaul_contract.senders import Delivery, SenderRule, Senders
from mailhaul_operator.api.relay_senders import RelaySenders
from mailhaul_operator.api.smtprelay import SmtpRelaySpec


def senders(spec: RelaySenders) -> Senders:
    """Give who may be the author; sets sorted, rules in their order."""
    return Senders(
        domains=tuple(sorted(spec.domains)),
        default_from=spec.default_from or None,
        forced_from=spec.forced_from or None,
        always_bcc=tuple(sorted(spec.always_bcc)),
        rules=tuple(
            SenderRule(
                name=one.name,
                networks=tuple(sorted(one.networks)),
                accounts=tuple(sorted(one.accounts)),
                domains=tuple(sorted(one.domains)),
                default_from=one.default_from or None,
                forced_from=one.forced_from or None,
            )
            for one in spec.rules
        ),
    )


def delivery(spec: SmtpRelaySpec) -> Delivery:
    """Give whom mail may reach, and whether it leaves."""
    return Delivery(
        allowed=tuple(sorted(spec.recipients.allowed)),
        redirect_to=spec.delivery.redirect_to or None,
        suspended=spec.delivery.suspended,
    )
