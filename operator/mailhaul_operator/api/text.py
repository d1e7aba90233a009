"""Text types of the resources: domains, hosts, mailboxes, networks, each with a rule for both sides.

The CEL patterns are approximations from above: whatever they refuse, `mailhaul_contract` refuses too, and it alone
knows IDNA and octets. Failures: RuleBroken with a message that shows the form to write.
"""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from mailhaul_contract.addresses import MAX_PATH, Address, normal_address
from mailhaul_contract.domains import normal_domain
from mailhaul_contract.listening import normal_network
from mailhaul_operator.api.rules import Rule, accepted_by

_UTF8 = r"\x{A0}-\x{10FFFF}"
_ALNUM = rf"A-Za-z0-9{_UTF8}"
_LABEL = rf"[{_ALNUM}]([-{_ALNUM}]{{0,61}}[{_ALNUM}])?"
DOMAIN_PATTERN = rf"{_LABEL}(\.{_LABEL})*"
"""RE2 of a domain name: RFC 1123 host labels, or RFC 5890 U-labels."""
ATEXT = rf"A-Za-z0-9!#$%&\x27+/=?^_`{{|}}~{_UTF8}-"
"""RFC 5322 atext but for the star, which alias patterns use."""
_ATOM = rf"[*{ATEXT}]+"
_QUOTED = rf'"([ !#-\[\]-~{_UTF8}]|\\[ -~])+"'
MAILBOX_PATTERN = rf"({_ATOM}(\.{_ATOM})*|{_QUOTED})@{DOMAIN_PATTERN}"
"""RE2 of a Mailbox (RFC 5321 section 4.1.2) at a domain name."""


def matches(pattern: str) -> str:
    """Give the CEL expression of a full match. The pattern may have no single quote (write it `\\x27`)."""
    return f"self.matches(r'^({pattern})$')"


def named_mailbox(text: str) -> str:
    """Give the normal form of a mail address at a domain name; raises AddressError, also for an address literal."""
    address = Address.parse(text)
    normal_domain(address.domain)
    return str(address)


def host(text: str) -> str:
    """Give the normal form of a host name or IP address to connect to; raises ValueError."""
    if ":" in text and "%" not in text:
        return ipaddress.IPv6Address(text).compressed
    return normal_domain(text)


def _usable_network(text: str) -> None:
    network = ipaddress.ip_network(text)
    bits = text.partition("/")[2]
    if "%" in text or bits != str(network.prefixlen) or (network.version == 6 and network.network_address.ipv4_mapped):
        raise ValueError("not a network in CIDR notation")


def _narrow(text: str) -> bool:
    network = ipaddress.ip_network(text)
    return network.prefixlen >= (8 if network.version == 4 else 7)


DOMAIN_RULE = Rule("not a domain name; write it like example.com", matches(DOMAIN_PATTERN), accepted_by(normal_domain))
MAILBOX_RULE = Rule(
    "not a mail address; write it like user@example.com",
    matches(MAILBOX_PATTERN),
    accepted_by(named_mailbox),
)
HOST_RULE = Rule(
    "not a host name or IP address; write it like smtp.example.com, with no port and no scheme",
    f"isIP(self) || {matches(DOMAIN_PATTERN)}",
    accepted_by(host),
)
NETWORK_RULE = Rule(
    "not a network in CIDR notation without host bits; write it like 10.244.0.0/16 or fd00::/8",
    "isCIDR(self) && cidr(self).masked() == cidr(self)",
    accepted_by(_usable_network),
)
NARROW_RULE = Rule(
    "a network this wide makes an open relay; name the networks of your pods, at least /8 (IPv4) or /7 (IPv6)",
    "!isCIDR(self) || cidr(self).prefixLength() >= (cidr(self).ip().family() == 4 ? 8 : 7)",
    _narrow,
)

DomainName = Annotated[str, Field(min_length=1, max_length=253), DOMAIN_RULE, AfterValidator(normal_domain)]
"""A domain, kept in normal form."""
OptionalDomain = Annotated[
    str, Field(max_length=253), DOMAIN_RULE.or_empty(), AfterValidator(lambda text: text and normal_domain(text))
]
"""A domain, or empty for none."""
HostName = Annotated[str, Field(max_length=253), HOST_RULE.or_empty(), AfterValidator(lambda text: text and host(text))]
"""A host to connect to, or empty for none."""
MailAddress = Annotated[str, Field(min_length=3, max_length=MAX_PATH), MAILBOX_RULE, AfterValidator(normal_address)]
"""A mail address, kept in normal form."""
OptionalMailAddress = Annotated[
    str, Field(max_length=MAX_PATH), MAILBOX_RULE.or_empty(), AfterValidator(lambda text: text and normal_address(text))
]
"""A mail address, or empty for none."""
NetworkText = Annotated[
    str, Field(min_length=2, max_length=49), NETWORK_RULE, NARROW_RULE, AfterValidator(normal_network)
]
"""A network in CIDR notation."""
KeyName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
"""A key of a Secret or ConfigMap."""
