"""The alerts fire when they should and keep still when they should not, as Prometheus' own tool judges."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.support.programs import need
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

RULES = REPOSITORY / "charts" / "mailhaul" / "files" / "alerts.yaml"
CASES = Path(__file__).with_name("alerts.test.yaml")


def test_promtool_finds_no_fault_and_every_case_holds(tmp_path: Path) -> None:
    promtool = need("promtool")
    for one in (RULES, CASES):
        shutil.copy(one, tmp_path)
    for words in (("check", "rules", RULES.name), ("test", "rules", CASES.name)):
        done = subprocess.run([promtool, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_promtool_tells_of_an_alert_that_is_wrong(tmp_path: Path) -> None:
    promtool = need("promtool")
    shutil.copy(CASES, tmp_path)
    (tmp_path / RULES.name).write_text(RULES.read_text().replace("for: 15m", "for: 5h"))
    done = subprocess.run(
        [promtool, "test", "rules", CASES.name], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    seen = [
        (one["alertname"], bool(one["exp_alerts"]))
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for one in test["alert_rule_test"]
    ]
    assert set(seen) == {(alert, fires) for alert in alerts for fires in (True, False)}
