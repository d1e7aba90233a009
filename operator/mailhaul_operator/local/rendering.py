"""`mailhaul validate` and `mailhaul render`: what the resources would become, and what is wrong with them.

Both read files and print; neither starts anything nor shows a secret. Exit codes: 0 good, 1 an error was found or there
is no such relay.
"""

import json
import sys
from typing import Any

import yaml

from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.local.planning import preview
from mailhaul_operator.local.told import finding_json, finding_text, has_errors
from mailhaul_operator.plan.snapshot import Plan


def validate(source: Source, output: str) -> int:
    """Print all findings, as text or JSON."""
    loaded = load(source)
    findings = loaded.located(preview(loaded.resources).findings)
    sys.stdout.write(finding_json(findings) if output == "json" else finding_text(findings))
    return 1 if has_errors(findings) else 0


def render(source: Source, relay: str, output: str) -> int:
    """Print the configuration of one relay, or of all; findings go to standard error."""
    loaded = load(source)
    planned = preview(loaded.resources)
    findings = loaded.located(planned.findings)
    if findings:
        sys.stderr.write(finding_text(findings))
    chosen = [plan for plan in planned.plans if plan.config and relay in {"", plan.key}]
    if not chosen:
        sys.stderr.write(f"mailhaul render: {_nothing(relay, planned.plans)}\n")
        return 1
    sys.stdout.write(_text([json.loads(plan.content) for plan in sorted(chosen, key=lambda plan: plan.key)], output))
    return 1 if has_errors(findings) else 0


def _nothing(relay: str, plans: tuple[Plan, ...]) -> str:
    if not relay or not plans:
        return "the files have no SmtpRelay that can run"
    return f"there is no SmtpRelay {relay} that can run; there are {', '.join(sorted(plan.key for plan in plans))}"


def _text(configs: list[dict[str, Any]], output: str) -> str:
    if output == "json":
        return json.dumps(configs[0] if len(configs) == 1 else configs, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump_all(configs, sort_keys=False, allow_unicode=True, width=120)
