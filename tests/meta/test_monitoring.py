"""Dashboard and alerts speak of metrics that there are, and every alert can be routed apart from mail."""

import json

import re2
import yaml
from tests.support.dashboard import FILE, dashboard, expressions
from tests.support.repository import REPOSITORY

from mailhaul_operator.serve.metrics import METRICS as OF_OPERATOR
from mailhaul_relay.telemetry.metrics import METRICS as OF_RELAY

ALERTS = yaml.safe_load((REPOSITORY / "charts" / "mailhaul" / "files" / "alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
_NAME = re2.compile(r"\bmailhaul_[a-z_]+")
NAMES = {one.name for one in (*OF_RELAY, *OF_OPERATOR)}
KNOWN = NAMES | {f"{name}_bucket" for name in NAMES if name.endswith("_duration_seconds")}


def _named(expression: str) -> set[str]:
    return set(_NAME.findall(expression))


def test_the_dashboard_is_in_step_with_its_table() -> None:
    assert FILE.read_text() == dashboard()
    assert json.loads(dashboard())["title"] == "Mailhaul"


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    assert set[str]().union(*map(_named, expressions())) <= KNOWN


def test_alerts_ask_for_metrics_that_there_are() -> None:
    assert set[str]().union(*(_named(one["expr"]) for one in RULES)) <= KNOWN


def test_every_alert_says_what_to_do_and_can_be_routed_apart_from_mail() -> None:
    for one in RULES:
        assert one["labels"]["mailhaul"] == "true", one["alert"]
        assert one["labels"]["severity"] in {"critical", "warning", "info"}
        assert {"summary", "description"} == set(one["annotations"])


def test_every_alert_is_documented() -> None:
    page = (REPOSITORY / "docs" / "monitoring.md").read_text()
    assert [one["alert"] for one in RULES if f"`{one['alert']}`" not in page] == []
