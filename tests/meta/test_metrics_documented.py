"""Every metric is documented: the page is what the table in the code says."""

from pathlib import Path

import pytest
from tests.support.repository import REPOSITORY

from mailhaul_relay.telemetry.metrics import METRICS, Kind, Metric, main, page


def test_metrics_page_is_in_step_with_the_table() -> None:
    assert main(["--check", str(REPOSITORY / "docs" / "metrics.md")]) == 0


def test_a_page_that_differs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / "metrics.md"
    stale.write_text(page().replace("Messages answered 250", "Something else"), encoding="utf-8")
    assert main(["--check", str(stale)]) == 1
    assert "--write" in capsys.readouterr().err


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_conventions_of_prometheus(metric: Metric) -> None:
    assert metric.name.startswith("mailhaul_")
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert metric.name.endswith("_seconds") or metric.kind is not Kind.HISTOGRAM
    assert metric.meaning.endswith(".")
    assert "|" not in metric.meaning


def test_no_metric_has_a_label_that_mail_could_fill() -> None:
    allowed = {
        "upstream",
        "outcome",
        "fault",
        "state",
        "reason",
        "result",
        "code",
        "enhanced",
        "alias_namespace",
        "alias",
        "period",
        "route",
    }
    assert {label for metric in METRICS for label in metric.labels} <= allowed | {"version"}
