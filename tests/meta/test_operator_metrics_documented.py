"""Every metric of the operator is documented, and shown: the page is what the table in the code says."""

import pytest
from tests.support.repository import REPOSITORY

from mailhaul_operator.serve.metrics import METRICS, Metric, Metrics, main


def test_the_page_is_in_step_with_the_table() -> None:
    assert main(["--check", str(REPOSITORY / "docs" / "operator-metrics.md")]) == 0


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_conventions_of_prometheus(metric: Metric) -> None:
    assert metric.name.startswith("mailhaul_operator_")
    assert metric.name.endswith("_total") == (metric.type == "counter")
    assert metric.name.endswith("_seconds") or metric.type != "histogram"
    assert metric.meaning.endswith(".")
    assert "|" not in metric.meaning


def test_every_metric_of_the_table_is_shown_and_no_other() -> None:
    metrics = Metrics()
    metrics.watch(lambda: 3, lambda: True, lambda: {("get", "Secret"): 2}, lambda: 1)
    metrics.reconciled("SmtpRelay", 0.2, failed=True)
    shown = metrics.exposition().decode()
    types = dict(line.split(" ")[2:4] for line in shown.splitlines() if line.startswith("# TYPE mailhaul"))
    assert {name: kind for name, kind in types.items() if not name.endswith("_created")} == {
        one.name: one.type for one in METRICS
    }
    assert 'mailhaul_operator_api_requests_total{kind="Secret",verb="get"} 2.0' in shown
    assert 'mailhaul_operator_errors_total{kind="SmtpRelay"} 1.0' in shown
    assert "mailhaul_operator_queue_depth 3.0" in shown
    assert "mailhaul_operator_leader 1.0" in shown
    assert "mailhaul_operator_closed_namespaces 1.0" in shown


def test_no_label_takes_its_values_from_a_resource() -> None:
    assert {label for one in METRICS for label in one.labels} <= {"version", "kind", "result", "verb"}
