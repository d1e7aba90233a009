"""What there is to see of the relays that run here, as values: made by `supervisor`, drawn by `table` and `plain`.

Pure; the two screens and the ready file show the same things.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.forwarding import AliasType
from mailhaul_contract.report import AliasReport, RelayReport, UpstreamReport
from mailhaul_contract.upstream import UpstreamKind
from mailhaul_operator.local.deliveries import Delivered
from mailhaul_operator.local.reports import Unreachable
from mailhaul_operator.local.verdict import Verdict


class Phase(StrEnum):
    """Where a relay's process stands."""

    STARTING = "starting"
    ACCEPTING = "accepting"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Bound:
    """A port of a relay that accepts mail."""

    name: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RelayView:
    """One relay at one moment. `report` is None before the first one; `http` is the base address of its HTTP side."""

    namespace: str
    name: str
    pid: int
    phase: Phase
    listeners: tuple[Bound, ...]
    http: str
    config: RelayConfig
    report: RelayReport | Unreachable | None = None
    verdict: Verdict | None = None
    deliveries: tuple[Delivered, ...] = ()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def inbox(self) -> str:
        """The address of the inbox; "" when no upstream captures mail."""
        captures = any(one.kind is UpstreamKind.CAPTURE for one in self.config.upstreams)
        return f"{self.http}/inbox" if captures else ""

    @property
    def headline(self) -> str:
        """Whether mail leaves, in one line."""
        if self.verdict:
            return self.verdict.headline
        return self.report.cause if isinstance(self.report, Unreachable) else str(self.phase)

    def to_json(self) -> dict[str, Any]:
        """Give the relay's part of the ready file."""
        known = {
            "namespace": self.namespace,
            "name": self.name,
            "pid": self.pid,
            "http": self.http,
            "listeners": [{"name": one.name, "host": one.host, "port": one.port} for one in self.listeners],
        }
        return known | ({"inbox": self.inbox} if self.inbox else {})


@dataclass(frozen=True, slots=True)
class AliasRow:
    """One alias with its addresses, where it leads, and its counts."""

    key: str
    addresses: tuple[str, ...]
    destinations: tuple[str, ...]
    counts: AliasReport


def alias_rows(view: RelayView) -> tuple[AliasRow, ...]:
    """Give the aliases of a relay by name, with what the report says of them."""
    entries: dict[str, tuple[list[str], tuple[str, ...]]] = {}
    for entry in view.config.aliases.entries:
        addresses, _ = entries.setdefault(f"{entry.namespace}/{entry.name}", ([], entry.destinations))
        addresses.append(entry.value if entry.type is not AliasType.SUB_ADDRESS else entry.value.replace("@", "+…@"))
    report = _report(view)
    counted = {f"{one.namespace}/{one.name}": one for one in (report.aliases if report else ())}
    return tuple(
        AliasRow(key, tuple(addresses), to, counted.get(key) or AliasReport(namespace="", name=key))
        for key, (addresses, to) in sorted(entries.items())
    )


def upstream_rows(view: RelayView) -> tuple[UpstreamReport, ...]:
    """Give the upstreams in order of priority, with what the report says of them."""
    report = _report(view)
    told = {one.name: one for one in report.upstreams} if report else {}
    order = sorted(view.config.upstreams, key=lambda one: (one.priority, one.name))
    return tuple(told.get(one.name) or UpstreamReport(name=one.name, provider=one.provider) for one in order)


def _report(view: RelayView) -> RelayReport | None:
    return view.report if isinstance(view.report, RelayReport) else None
