"""`mailhaul validate` and `mailhaul render`: what the resources would become, and what is wrong with them.

Both read files and print; neither starts anything nor shows a secret. Exit codes: 0 good, 1 an error was found or there
is no such relay.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.local.planning import manifests, preview
from mailhaul_operator.local.told import finding_json, finding_text, has_errors
from mailhaul_operator.plan.snapshot import Manifest, Plan

REDACTED = "<redacted>"


def validate(source: Source, output: str) -> int:
    """Print all findings, as text or JSON."""
    loaded = load(source)
    findings = loaded.located(preview(loaded.resources).findings)
    sys.stdout.write(finding_json(findings) if output == "json" else finding_text(findings))
    return 1 if has_errors(findings) else 0


def render(source: Source, relay: str, output: str, *, objects: bool = False) -> int:
    """Print the configuration of one relay, or of all, or the objects that the operator would make for it; findings
    go to standard error.
    """
    loaded = load(source)
    planned = preview(loaded.resources)
    findings = loaded.located(planned.findings)
    if findings:
        sys.stderr.write(finding_text(findings))
    chosen = [plan for plan in planned.plans if plan.config and relay in {"", plan.key}]
    if not chosen:
        sys.stderr.write(f"mailhaul render: {_nothing(relay, planned.plans)}\n")
        return 1
    if objects:
        sys.stdout.write(_text([without_secrets(one) for one in manifests(loaded.resources, relay)], output))
    else:
        chosen.sort(key=lambda plan: plan.key)
        sys.stdout.write(_text([json.loads(plan.content) for plan in chosen], output))
    return 1 if has_errors(findings) else 0


def without_secrets(manifest: Manifest) -> dict[str, Any]:
    """Give an object as it may be printed: of a Secret the keys only."""
    shown = dict(manifest)
    if shown["kind"] == "Secret":
        data: Mapping[str, str] = shown["data"]
        shown["data"] = dict.fromkeys(data, REDACTED)
    return shown


def _nothing(relay: str, plans: tuple[Plan, ...]) -> str:
    if not relay or not plans:
        return "the files have no SmtpRelay that can run"
    return f"there is no SmtpRelay {relay} that can run; there are {', '.join(sorted(plan.key for plan in plans))}"


def _text(configs: Sequence[dict[str, Any]], output: str) -> str:
    if output == "json":
        return json.dumps(configs[0] if len(configs) == 1 else configs, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump_all(configs, sort_keys=False, allow_unicode=True, width=120)
