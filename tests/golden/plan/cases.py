"""The cases of `plan`: each folder has resources in YAML, and what becomes of them.

In `expected/` are `NAMESPACE.NAME.relay.v1.json`, a relay's configuration, `NAMESPACE.NAME.secret.json`, the keys of
its assembled Secret (never a value), and `findings.json`, what was found, with its line.
Run `python -m tests.golden.plan.cases` to write them anew, then read the difference.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailhaul_operator.api.resources import Resources
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.plan.findings import in_order
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot
from mailhaul_operator.plan.survey import survey

HERE = Path(__file__).parent
CASES = tuple(sorted(one.name for one in HERE.iterdir() if one.is_dir() and one.name[0].isdigit()))


@dataclass(frozen=True)
class Outcome:
    """What became of a case: texts by file name."""

    files: dict[str, str]
    plans: tuple[Plan, ...]


def plans_of(resources: Resources) -> tuple[Plan, ...]:
    """Plan every relay with chance taken out."""
    fresh = Fresh("golden-revision", "golden-token")
    return tuple(plan(Snapshot(relay, resources, fresh)) for relay in resources.relays)


def outcome(case: str) -> Outcome:
    """Plan a case."""
    loaded = load(Source(tuple(sorted((HERE / case).glob("*.yaml")))))
    plans = plans_of(loaded.resources)
    found = in_order([*survey(loaded.resources), *(one for each in plans for one in each.findings)])
    findings = [{"line": one.place.line if one.place else 0, **one.finding.to_json()} for one in loaded.located(found)]
    files = {"findings.json": _text(findings)}
    for each in plans:
        if each.config:
            files[f"{each.namespace}.{each.name}.relay.v1.json"] = _text(json.loads(each.content))
            files[f"{each.namespace}.{each.name}.secret.json"] = _text(sorted(each.secret))
    return Outcome(files, plans)


def expected(case: str) -> dict[str, str]:
    """Give the texts that lie in a case's folder."""
    return {one.name: one.read_text() for one in sorted((HERE / case / "expected").glob("*.json"))}


def update(cases: Iterable[str]) -> None:
    """Write what becomes of these cases."""
    for case in cases:
        folder = HERE / case / "expected"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in outcome(case).files.items():
            (folder / name).write_text(text)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    update(CASES)
