"""What one relay does for each of its aliases: from its plan and its pods' reports. Pure.

Used by `memory`, so that an alias is looked at again only when its own part has changed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import TypeAdapter

from mailhaul_contract.forwarding import Alias
from mailhaul_contract.report import AliasReport, RelayReport
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.plan.findings import Finding, ObjectRef
from mailhaul_operator.plan.snapshot import Plan


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What `assess` is told of an alias; see `AliasView`. `generation` is that of the alias as it was planned, -1 for
    never.
    """

    generation: int = -1
    findings: tuple[Finding, ...] = ()
    resolved: tuple[str, ...] = ()
    applied: bool = False
    ready: bool | None = None
    forwarded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """What a plan alone says of its aliases: findings by alias, mailboxes by namespace and name. Kept with the plan,
    for a large table takes its time.
    """

    plan: Plan
    findings: Mapping[ObjectRef, list[Finding]]
    resolved: Mapping[tuple[str, str], tuple[str, ...]]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Read it from the plan."""
        return cls(plan, _findings(plan), _resolved(plan))

    def forwarding(
        self, aliases: Iterable[MailAlias], reports: Mapping[str, RelayReport], *, applied: bool, ready: bool | None
    ) -> dict[ObjectRef, Forwarding]:
        """Give what the relay does for each of these aliases."""
        counts = _counts(reports)
        return {
            one: Forwarding(
                generation=alias.metadata.generation,
                findings=tuple(self.findings.get(one, ())),
                resolved=self.resolved.get(_name(one), ()),
                applied=applied and _name(one) in self.resolved,
                ready=ready,
                forwarded=sum(count.forwarded for count in counts.get(_name(one), ())),
                failed=sum(count.failed for count in counts.get(_name(one), ())),
            )
            for one, alias in ((reference(alias), alias) for alias in aliases)
        }


def _name(alias: ObjectRef) -> tuple[str, str]:
    return alias.namespace, alias.name


def reference(alias: MailAlias) -> ObjectRef:
    """Give an alias as findings name it."""
    return ObjectRef("MailAlias", *alias.metadata.key)


def _findings(plan: Plan) -> Mapping[ObjectRef, list[Finding]]:
    found: defaultdict[ObjectRef, list[Finding]] = defaultdict(list)
    for one in plan.findings:
        found[one.object].append(one)
        if one.rival != ObjectRef() and one.rival != one.object:
            found[one.rival].append(one)
    return found


def _resolved(plan: Plan) -> dict[tuple[str, str], tuple[str, ...]]:
    """The mailboxes of each alias that made it into the configuration, sorted."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in _entries(plan):
        found[entry.namespace, entry.name].update(str(one) for one in entry.destinations)
    return {key: tuple(sorted(one)) for key, one in found.items()}


def _entries(plan: Plan) -> Iterator[Alias]:
    if plan.config is not None:
        yield from plan.config.aliases.entries
    for table in plan.tables:
        yield from _TABLE.validate_json(table)


_TABLE = TypeAdapter(tuple[Alias, ...])


def _counts(reports: Mapping[str, RelayReport]) -> Mapping[tuple[str, str], list[AliasReport]]:
    found: defaultdict[tuple[str, str], list[AliasReport]] = defaultdict(list)
    for report in reports.values():
        for one in report.aliases:
            found[one.namespace, one.name].append(one)
    return found
