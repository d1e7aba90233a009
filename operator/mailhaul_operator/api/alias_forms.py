"""The forms of an alias's value, one for each type (`mailhaul_contract.config.Alias`), as rules for both sides."""

from collections.abc import Callable
from typing import Any

from mailhaul_contract.domains import normal_domain
from mailhaul_contract.forwarding import AliasType
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import ATEXT, DOMAIN_PATTERN, MAILBOX_PATTERN, named_mailbox


def normal_pattern(kind: AliasType, value: str) -> str:
    """Give the normal form of a value that its rule accepts; raises ValueError on any other."""
    if kind is not AliasType.CATCH_ALL:
        return named_mailbox(value)
    local, _, domain = value.rpartition("@")
    return f"{local}@{normal_domain(domain)}"


def _is_mailbox(value: str) -> bool:
    return "*" not in value and bool(named_mailbox(value))


def _is_base_address(value: str) -> bool:
    return _is_mailbox(value) and "+" not in value.rpartition("@")[0] and not value.startswith('"')


def _is_wildcard(value: str) -> bool:
    local = value.rpartition("@")[0]
    return local.count("*") == 1 and local != "*" and not value.startswith('"') and bool(named_mailbox(value))


def _is_catch_all(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    return local == "*" and bool(normal_domain(domain))


def _form(kind: AliasType, message: str, cel: str, check: Callable[[str], bool]) -> Rule:
    def holds(address: Any) -> bool:  # noqa: ANN401 - an AliasAddress, which is made of these rules
        if address.type is not kind:
            return True
        try:
            return check(address.value)
        except ValueError:
            return False

    return Rule(message, f"self.type != '{kind}' || ({cel})", holds, field="value")


_WORD = f"[{ATEXT}.]"

FORM_RULES = (
    _form(
        AliasType.EXACT,
        "not the form of type Exact; write it like sales@example.com, or set type to Wildcard or CatchAll for a star",
        f"self.value.matches(r'^({MAILBOX_PATTERN})$') && !self.value.contains('*')",
        _is_mailbox,
    ),
    _form(
        AliasType.SUB_ADDRESS,
        "not the form of type SubAddress; write it like user@example.com, with neither plus nor star",
        f"self.value.matches(r'^({MAILBOX_PATTERN})$') && !self.value.split('@')[0].contains('+')"
        f" && !self.value.contains('*') && !self.value.startsWith('\"')",
        _is_base_address,
    ),
    _form(
        AliasType.WILDCARD,
        "not the form of type Wildcard; write it like shop-*@example.com, with one star and more in the local part",
        f"self.value.matches(r'^({MAILBOX_PATTERN})$') && self.value.matches(r'^{_WORD}*\\*{_WORD}*@')"
        f" && !self.value.startsWith('*@')",
        _is_wildcard,
    ),
    _form(
        AliasType.CATCH_ALL,
        "not the form of type CatchAll; write it like *@example.com",
        f"self.value.matches(r'^\\*@{DOMAIN_PATTERN}$')",
        _is_catch_all,
    ),
)
