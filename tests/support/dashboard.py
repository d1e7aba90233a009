"""The Grafana dashboard of the chart, made from dashboard.toml: `python -m tests.support.dashboard --write`.

Each panel answers one question of a person on call. A test compares the file with what is made here, and every metric
with the two tables of metrics.
"""

import argparse
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.repository import REPOSITORY

FILE: Final = REPOSITORY / "charts" / "mailhaul" / "files" / "dashboard.json"
TABLE: Final = Path(__file__).with_name("dashboard.toml")
_WHICH: Final = 'namespace=~"$namespace", pod=~"$pod"'
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDTH: Final = 24


@dataclass(frozen=True)
class Panel:
    """One question: PromQL and legend of each line. `unit` is Grafana's."""

    title: str
    lines: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def rows() -> list[tuple[str, list[Panel]]]:
    """Give the table: title and panels of each row."""
    table = tomllib.loads(TABLE.read_text())
    return [(row["title"], [_read(one) for one in row["panel"]]) for row in table["row"]]


def _read(given: dict[str, Any]) -> Panel:
    lines = tuple((expression.replace("$which", _WHICH), legend) for expression, legend in given.pop("lines"))
    return Panel(lines=lines, **given)


def expressions() -> Iterator[str]:
    """Give every PromQL expression."""
    for _, panels in rows():
        for panel in panels:
            for expression, _ in panel.lines:
                yield expression


def dashboard() -> str:
    """Give the file's text."""
    model = {
        "uid": "mailhaul",
        "title": "Mailhaul",
        "description": "Does mail leave, through whom, and if not, why?",
        "tags": ["mail", "mailhaul"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }
    return json.dumps(model, indent=1) + "\n"


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    for name, query in (
        ("namespace", "label_values(mailhaul_accepting, namespace)"),
        ("pod", 'label_values(mailhaul_accepting{namespace=~"$namespace"}, pod)'),
    ):
        yield {
            "name": name, "type": "query", "datasource": _SOURCE, "query": {"query": query, "refId": name},
            "refresh": 2, "multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}, "sort": 1,
        }  # fmt: skip


def _panels() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for title, panels in rows():
        number += 1
        yield {"id": number, "type": "row", "title": title, "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}}
        top, left, height = top + 1, 0, 0
        for panel in panels:
            number += 1
            if left + panel.width > WIDTH:
                top, left, height = top + height, 0, 0
            tall = 4 if panel.kind == "stat" else 8
            yield _panel(panel, number, {"x": left, "y": top, "w": panel.width, "h": tall})
            left, height = left + panel.width, max(height, tall)
        top += height


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + at), "expr": expression, "legendFormat": legend or "__auto"}
        for at, (expression, legend) in enumerate(panel.lines)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the Grafana dashboard of the chart.")
    parser.add_argument("--write", action="store_true", required=True, help=f"write {FILE.name}")
    parser.parse_args()
    FILE.write_text(dashboard())
