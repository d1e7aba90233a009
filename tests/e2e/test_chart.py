"""The chart by itself: helm finds no fault with it, each value changes what it should and nothing else, wrong values
are refused, and its rights are as narrow as they are told to be. Nothing is installed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from tests.support.cluster import Cluster
from tests.support.e2e.chart import CHART, SERVICE_NAME, difference, helm, rendered, template
from tests.support.repository import REPOSITORY

pytestmark = [pytest.mark.e2e]

KINDS = ("ServiceMonitor", "PrometheusRule")
MONITOR = tuple(word for kind in KINDS for word in ("--api-versions", f"monitoring.coreos.com/v1/{kind}"))
QUICK = {"crds.install": False}
"""The definitions take helm a second to render."""
WANTED = {**QUICK, "metrics.serviceMonitor.enabled": True, "metrics.rules.enabled": True}
DASHBOARD = {"metrics.dashboard.enabled": True}
SWITCHES = yaml.safe_load((REPOSITORY / "tests" / "e2e" / "chart_switches.yaml").read_text())
WRONG = {
    "an unknown value": {"unknown": 1},
    "a misspelt switch": {"crds.create": False},
    "a switch of another part": {"rbac.keep": True},
    "a number for a tag": {"operator.image.tag": 1.2},
    "a digest that is none": {"relay.image.digest": "sha256:abc"},
    "an image without a name": {"relay.image.repository": ""},
    "a registry without its slash": {"imageRegistry": "registry.example"},
    "a level that is none": {"operator.logLevel": "loud"},
    "a pull policy that is none": {"imagePullPolicy": "Sometimes"},
    "namespaces as a text": {"namespaces": "shop"},
    "a namespace with a wildcard": {"namespaces": ["team-*"]},
    "a namespace twice": {"namespaces": ["shop", "shop"]},
    "a service account that is no name": {"serviceAccount.name": "a: b"},
    "a pull secret that ends with a dot": {"imagePullSecrets": ["pull."]},
    "a part that was taken away": {"operator": None},
    "a part of a part that was taken away": {"relay.image": None},
    "an interval without a unit": {"metrics.serviceMonitor.interval": "30"},
    "a switch that is a word": {"networkPolicy.enabled": "yes"},
}


def test_helm_finds_no_fault(cluster: Cluster) -> None:
    done = helm(cluster, "lint", "--strict", str(CHART))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_each_value_changes_what_it_should_and_nothing_else(cluster: Cluster) -> None:
    base = rendered(cluster, {**WANTED, **DASHBOARD}, *MONITOR)
    for case in SWITCHES:
        changed = rendered(cluster, {**WANTED, **DASHBOARD, **case["values"]}, *MONITOR)
        assert difference(base, changed) == sorted(case["changes"]), case["values"]
    print(f"{len(SWITCHES)} values, each changed once")


def test_the_definitions_are_installed_and_kept_as_wanted(cluster: Cluster) -> None:
    base, left = rendered(cluster, {}), rendered(cluster, {"crds.keep": False})
    names = [
        f"CustomResourceDefinition/{one.stem}.mailhaul.dev" for one in sorted((REPOSITORY / "crds").glob("*.yaml"))
    ]
    kept = 'metadata.annotations.helm.sh/resource-policy: "keep"'
    assert difference(base, left) == [f"- {name} {kept}" for name in names]
    assert difference(base, rendered(cluster, QUICK)) == [f"- {name}" for name in names]


def test_every_value_of_the_chart_is_among_those_that_were_changed() -> None:
    known = {key for case in SWITCHES for key in case["values"]} | {"namespaces", "crds"}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert not [one for one in _leaves(values) if not any(one == key or one.startswith(f"{key}.") for key in known)]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_refused(cluster: Cluster, wrong: Mapping[str, Any]) -> None:
    done = template(cluster, {**QUICK, **wrong})
    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr


def test_what_the_prometheus_operator_serves_is_left_out_where_it_is_not(cluster: Cluster) -> None:
    assert difference(rendered(cluster, QUICK), rendered(cluster, WANTED)) == []


def test_alerts_and_dashboard_arrive_unchanged(cluster: Cluster) -> None:
    made = rendered(cluster, {**WANTED, **DASHBOARD}, *MONITOR)
    assert made["PrometheusRule/mailhaul"]["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    dashboard = made["ConfigMap/mailhaul-dashboard"]
    assert dashboard["data"] == {"mailhaul.json": (CHART / "files" / "dashboard.json").read_text()}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_listed_namespaces_have_a_role_each_and_the_rest_of_the_cluster_has_none(cluster: Cluster) -> None:
    everywhere, listed = rendered(cluster, QUICK), rendered(cluster, {**QUICK, "namespaces": ["shop", "2026"]})
    gone = [one for one in everywhere["ClusterRole/mailhaul"]["rules"] if "customresourcedefinitions" in str(one)]
    outside = [
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
    ]
    assert listed["ClusterRole/mailhaul"]["rules"] == outside
    inside = listed["shop/Role/mailhaul"]["rules"]
    assert inside == listed["2026/Role/mailhaul"]["rules"]
    more = [one for one in inside if one not in everywhere["ClusterRole/mailhaul"]["rules"]]
    verbs = ["get", "list", "watch", "create", "patch"]
    assert more == [{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}]
    assert len(inside) + len(outside) + len(gone) == len(everywhere["ClusterRole/mailhaul"]["rules"])
    arguments = listed["Deployment/mailhaul"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [one for one in arguments if one.startswith("--namespace")] == ["--namespace=shop", "--namespace=2026"]


@pytest.mark.parametrize("namespaces", [[], ["shop"]], ids=["every namespace", "listed ones"])
def test_no_rule_has_a_wildcard(cluster: Cluster, namespaces: list[str]) -> None:
    rules = [
        rule for one in rendered(cluster, {**QUICK, "namespaces": namespaces}).values() for rule in one.get("rules", ())
    ]
    assert len(rules) > 10
    assert not [rule for rule in rules if "*" in str(rule)]


def test_a_release_may_have_any_name_that_helm_takes(cluster: Cluster) -> None:
    done = helm(cluster, "template", "2026", str(CHART), "--namespace", "7", "--kube-version", "1.34.0")
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert {one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"]} == {"7"}
    labels = [one["metadata"]["labels"] for one in objects]
    assert {one["app.kubernetes.io/instance"] for one in labels} == {"2026"}


@pytest.mark.parametrize(
    "name", ["2026", "my.release", "7.mailhaul.b", f"{'a' * 40}.mailhaul--x", "9" * 53, "mailhaul-2"]
)
def test_every_name_is_one_that_a_service_may_have(cluster: Cluster, name: str) -> None:
    words = ("template", name, str(CHART), "--kube-version", "1.34.0", "--set", "crds.install=false", *MONITOR)
    done = helm(cluster, *words)
    assert done.returncode == 0, done.stderr
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(done.stdout) if one]
    assert len(names) > 10
    assert not [one for one in names if not SERVICE_NAME.fullmatch(one)]


def test_labels_of_the_values_take_the_place_of_none_of_ours(cluster: Cluster) -> None:
    theirs = {"app.kubernetes.io/instance": "theirs", "app.kubernetes.io/name": "theirs"}
    values = {**WANTED, "operator.podLabels": theirs, "metrics.serviceMonitor.labels": theirs}
    assert difference(rendered(cluster, WANTED, *MONITOR), rendered(cluster, values, *MONITOR)) == []


def _leaves(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}" if path else key)
    else:
        yield path
