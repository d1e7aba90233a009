"""Alias tables: where the entries go that a ConfigMap cannot hold beside the configuration.

Called by `relay_config` once the configuration is written. Small ones stay in it; large ones become JSON arrays of
`Alias`, each a file of its own, in the order of the entries. Pure.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from mailhaul_contract.digest import canonical_json
from mailhaul_contract.forwarding import Alias
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.naming import ALIAS_TABLES

INLINE: Final = 600_000
"""Bytes of configuration above which its alias entries move into tables."""
TABLE: Final = 900_000
"""Bytes of a table at most; a ConfigMap may have 1 MiB with all its keys."""
ENTRIES: Final = 50_000
"""Addresses that a relay takes at most (`mailhaul_contract.config.Aliases`)."""


def tables(entries: Iterable[Alias]) -> tuple[bytes, ...]:
    """Give the bytes of as many tables as the entries need, which may be more than there can be."""
    return tuple(b"[" + b",".join(written) + b"]\n" for written in _filled(entries))


def too_many(relay: ObjectRef, entries: int, needed: int = 0) -> Finding:
    """Say that the aliases of a relay do not fit; `needed` is the number of tables, 0 when it was not tried."""
    what = f"; they fill {needed} tables" if needed else ""
    return Finding(
        relay,
        "spec.aliases",
        Reason.TOO_MANY_ALIASES,
        f"aliases lead {entries} addresses through this relay{what}; a relay takes {ENTRIES} addresses in"
        f" {ALIAS_TABLES} tables of {TABLE} bytes, so it stays with its last good configuration",
        "cover many addresses by one SubAddress, Wildcard or CatchAll, or share them among several SmtpRelays",
    )


def _filled(entries: Iterable[Alias]) -> Iterator[list[bytes]]:
    table: list[bytes] = []
    size = 3
    for entry in entries:
        written = canonical_json(entry.to_json()).rstrip(b"\n")
        if table and size + len(written) + 1 > TABLE:
            yield table
            table, size = [], 3
        table.append(written)
        size += len(written) + 1
    if table:
        yield table
