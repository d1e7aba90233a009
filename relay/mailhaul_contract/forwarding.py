"""Aliases and what a forward needs: the part of `RelayConfig` that `policy.aliases` and `policy.srs` interpret.

Written by the operator's `plan.aliases`. A wrong value is refused with its path.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import Domain, Frozen, Mailbox, Name, ObjectName


class AliasType(StrEnum):
    """How an alias address matches; this is also the order of precedence, first to last (docs/aliases.md)."""

    EXACT = "Exact"
    SUB_ADDRESS = "SubAddress"
    WILDCARD = "Wildcard"
    CATCH_ALL = "CatchAll"


class Alias(Frozen):
    """One address pattern of a MailAlias and where it leads. `value` is in the form that `aliases` documents:

    `user@domain` for Exact and SubAddress (matches `user+tag@domain`), `prefix-*@domain` for Wildcard (one star,
    in the local part), `*@domain` for CatchAll.
    """

    namespace: Name
    name: ObjectName
    type: AliasType = AliasType.EXACT
    value: Annotated[str, Field(min_length=3, max_length=320)]
    destinations: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=100)]


class FromRewriting(StrEnum):
    """Whether a forward's From may be rewritten for upstreams that replace or refuse a foreign one."""

    AUTOMATIC = "Automatic"
    NEVER = "Never"


class Srs(Frozen):
    """Sender Rewriting Scheme for forwards; its secrets lie in the secrets (`srs.secret`, one a line, first signs)."""

    domain: Domain


Sha256 = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Aliases(Frozen):
    """The own domains and every alias in them. `tables` are the digests of files with more entries (JSON arrays of
    `Alias`), named in order by `names.ALIAS_TABLE_FILES`; a reader waits until all are there.
    """

    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()
    entries: Annotated[tuple[Alias, ...], Field(max_length=50_000)] = ()
    tables: Annotated[tuple[Sha256, ...], Field(max_length=8)] = ()
    srs: Srs | None = None
    from_rewriting: FromRewriting = FromRewriting.AUTOMATIC
