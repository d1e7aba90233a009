"""Resources as the API server has them, in every state: those of tests/golden/assess with the status of each step, and
a few from `tests/golden/argocd/recorded.yaml` that no assessment makes (not looked at yet, changed since, going).

Argo CD's health checks, `kstatus_rule` and the real kstatus program are asked about the same ones.
"""

from dataclasses import dataclass
from typing import Any

import yaml
from tests.golden.assess.cases import CASES, read, statuses
from tests.support.kstatus_rule import kstatus
from tests.support.repository import REPOSITORY

BY_HAND = REPOSITORY / "tests" / "golden" / "argocd" / "recorded.yaml"


@dataclass(frozen=True)
class Recorded:
    """A resource under a name of its own, and what kstatus concludes from it."""

    name: str
    body: dict[str, Any]
    kstatus: str


def recorded() -> tuple[Recorded, ...]:
    """Give all of them."""
    return (*(one for case in CASES for one in _steps(case)), *_by_hand())


def _steps(case: str) -> list[Recorded]:
    kind, found = read(case)["kind"], []
    for at, generation, status in statuses(case):
        name = f"{case}-at-{at}"
        meta = {"name": name, "namespace": "smtp", "generation": generation}
        told = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        body = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": kind, "metadata": meta, "status": told}
        found.append(Recorded(name, body, kstatus(status, generation)))
    return found


def _by_hand() -> list[Recorded]:
    documents = [one for one in yaml.safe_load_all(BY_HAND.read_text()) if one]
    return [Recorded(one["body"]["metadata"]["name"], one["body"], one["kstatus"]) for one in documents]
