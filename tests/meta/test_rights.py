"""The chart grants exactly what the operator does: what it watches, what it makes, a short list of reads and patches.

Judged on the plain manifests, which are the chart as it renders for every namespace (tests/e2e/test_chart.py: for
listed ones too).
"""

from collections import defaultdict
from typing import Any

import yaml
from tests.support.repository import REPOSITORY

from mailhaul_operator.effects.prune import KEPT
from mailhaul_operator.reconcile.scope import watched
from mailhaul_operator.wire.kinds import KINDS

MANIFESTS = REPOSITORY / "operator" / "mailhaul_operator" / "plan" / "manifests"
Rights = dict[tuple[str, str], set[str]]
READ_AND_PATCHED = {
    ("mailhaul.dev", "smtprelays/status"): {"patch"},
    ("mailhaul.dev", "upstreamproviders/status"): {"patch"},
    ("mailhaul.dev", "mailaliases/status"): {"patch"},
    ("", "pods"): {"get"},
    ("", "pods/status"): {"patch"},
    ("", "persistentvolumeclaims"): {"list", "patch"},
    ("", "namespaces"): {"get"},
    ("storage.k8s.io", "storageclasses"): {"get"},
    ("apps", "replicasets"): {"list"},
    ("events.k8s.io", "events"): {"create"},
    ("coordination.k8s.io", "leases"): {"create", "get", "patch"},
    ("apiextensions.k8s.io", "customresourcedefinitions"): {"list", "watch"},
}
"""Beside what is watched and made: statuses, the nudge, pods without labels, volumes that grow, reads of others."""


def _used(namespaces: tuple[str, ...]) -> Rights:
    rights: Rights = defaultdict(set, {key: set(verbs) for key, verbs in READ_AND_PATCHED.items()})
    for one in watched(namespaces, "v1"):
        rights[_resource(one.kind.kind)] |= {"list", "watch"}
    for kind in _made():
        rights[_resource(kind)] |= {"get", "create", "patch"} | (set() if kind in KEPT else {"delete"})
    return dict(rights)


def _made() -> set[str]:
    lines = [line for file in MANIFESTS.glob("*.j2") for line in file.read_text().splitlines()]
    return {line.removeprefix("kind: ") for line in lines if line.startswith("kind: ")}


def _resource(kind: str) -> tuple[str, str]:
    group, _, _ = KINDS[kind].api_version.rpartition("/")
    return group, KINDS[kind].plural


def granted(objects: list[dict[str, Any]]) -> Rights:
    """What the operator's own roles grant together; those of people (view, edit) are left out."""
    rights: Rights = defaultdict(set)
    for role in objects:
        people = any("aggregate-to" in label for label in role["metadata"].get("labels", {}))
        for rule in () if people or role["kind"] not in {"Role", "ClusterRole"} else role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    rights[group, resource] |= set(rule["verbs"])
    return dict(rights)


def _plain() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((REPOSITORY / "deploy" / "mailhaul.yaml").read_text()))


def test_what_the_operator_may_do_is_what_it_does() -> None:
    assert granted(_plain()) == _used(())


def test_no_rule_of_the_chart_has_a_wildcard() -> None:
    rules = [rule for one in _plain() for rule in one.get("rules", ())]
    assert len(rules) > 10
    assert not [rule for rule in rules if "*" in str(rule)]


def test_where_namespaces_are_listed_secrets_are_watched_too_and_nothing_else_is_more() -> None:
    more = {key: verbs - _used(()).get(key, set()) for key, verbs in _used(("shop",)).items()}
    assert {key: verbs for key, verbs in more.items() if verbs} == {("", "secrets"): {"list", "watch"}}


def test_the_operator_runs_once_confined_and_is_asked_whether_its_loop_turns() -> None:
    found = yaml.safe_load_all((REPOSITORY / "deploy" / "mailhaul.yaml").read_text())
    (spec,) = (one["spec"] for one in found if one and one["kind"] == "Deployment")
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
