"""Which From a client may use, and what becomes of the others: the compiled `Senders` of a configuration.

`admission` asks once a message. The first rule that names the client's network or account counts in place of the
relay's own settings; with no rules nothing is looked at. Cannot fail.
"""

from dataclasses import dataclass
from typing import Self

from mailhaul_contract.senders import SenderRule, Senders
from mailhaul_relay.model.message import Recipient
from mailhaul_relay.policy.aliases import AliasTable
from mailhaul_relay.policy.source import ClientNetworks, Source


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """`domains` empty allows what the upstreams do. `default_from` is that of a message without a From, `forced_from`
    takes the place of every one; "" for none. `field` is where the domains are set, for refusals.
    """

    domains: frozenset[str] = frozenset()
    default_from: str = ""
    forced_from: str = ""
    field: str = "spec.senders.domains"


@dataclass(frozen=True, slots=True)
class _Rule:
    networks: ClientNetworks
    accounts: frozenset[str]
    policy: SenderPolicy

    def fits(self, source: Source) -> bool:
        return source.account in self.accounts if source.account else self.networks.has(source.address)


@dataclass(frozen=True, slots=True)
class SenderPolicies:
    """`archive` are the recipients that every submission gets besides, own aliases followed; nobody addressed them."""

    general: SenderPolicy
    rules: tuple[_Rule, ...]
    archive: tuple[Recipient, ...]

    @classmethod
    def build(cls, senders: Senders, aliases: AliasTable) -> Self:
        """Compile what the contract has validated."""
        general = SenderPolicy(frozenset(senders.domains), senders.default_from or "", senders.forced_from or "")
        archive = tuple(Recipient("", final) for one in senders.always_bcc for final in aliases.mailboxes(one))
        return cls(general, tuple(_compiled(one) for one in senders.rules), archive)

    def of(self, source: Source) -> SenderPolicy:
        """Give what holds for a client."""
        for rule in self.rules:
            if rule.fits(source):
                return rule.policy
        return self.general


def _compiled(rule: SenderRule) -> _Rule:
    policy = SenderPolicy(
        frozenset(rule.domains),
        rule.default_from or "",
        rule.forced_from or "",
        f"spec.senders.rules[{rule.name}].domains",
    )
    return _Rule(ClientNetworks.build(rule.networks), frozenset(rule.accounts), policy)
