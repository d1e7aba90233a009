"""The chart as helm renders it: objects by kind and name, and in what two renderings differ.

Used by the tests of the chart; needs helm on the cluster's PATH, and no cluster.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.cluster import Cluster
from tests.support.repository import REPOSITORY

CHART = REPOSITORY / "charts" / "mailhaul"
SECONDS = 60
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""DNS-1035, the narrowest rule for a name in Kubernetes."""
Values = Mapping[str, Any]


class _Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, as a strict API server does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is there twice: {sorted(keys)}, {node.start_mark}"
        return super().construct_mapping(node, deep=deep)


def helm(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run helm; whatever it says is an answer."""
    program = shutil.which("helm", path=cluster.environment["PATH"])
    if program is None:
        pytest.skip("needs helm on the PATH")
    return subprocess.run(
        [program, *arguments], env=cluster.environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def template(cluster: Cluster, values: Values, *more: str) -> "subprocess.CompletedProcess[str]":
    """`helm template` with these values over the chart's own."""
    return _template(cluster, CHART, values, *more)


def _template(cluster: Cluster, chart: Path, values: Values, *more: str) -> "subprocess.CompletedProcess[str]":
    sets = [word for key, value in values.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    words = ["template", "mailhaul", str(chart), "--namespace", "mailhaul-system", "--kube-version", "1.34.0"]
    return helm(cluster, *words, *sets, *more)


def rendered(cluster: Cluster, values: Values, *more: str) -> dict[str, Any]:
    """The objects by `Kind/name`, with the namespace before it for those of a namespace that is not the release's."""
    done = template(cluster, values, *more)
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.load_all(done.stdout, _Strict) if one]
    return {_name(one): one for one in objects}


def notes(cluster: Cluster, folder: Path, values: Values) -> str:
    """What helm prints after an install; rendered in a copy of the chart as a value, for which no cluster is needed."""
    copy = folder / "chart"
    shutil.copytree(CHART, copy)
    text = (copy / "templates" / "NOTES.txt").read_text()
    shown = '{{ define "shown" }}' + text + '{{ end }}shown: {{ include "shown" . | toJson }}\n'
    (copy / "templates" / "shown.yaml").write_text(shown)
    done = _template(cluster, copy, values, "--show-only", "templates/shown.yaml")
    assert done.returncode == 0, done.stderr
    return str(yaml.safe_load(done.stdout)["shown"])


def _name(body: Mapping[str, Any]) -> str:
    namespace = body["metadata"].get("namespace", "")
    within = "" if namespace in {"", "mailhaul-system"} else f"{namespace}/"
    return f"{within}{body['kind']}/{body['metadata']['name']}"


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each object that came (`+`) or went (`-`), and for each value of the others that did."""
    lines = [f"- {name}" for name in before.keys() - after.keys()] + [
        f"+ {name}" for name in after.keys() - before.keys()
    ]
    for name in before.keys() & after.keys():
        old, new = set(_values(before[name])), set(_values(after[name]))
        lines += [f"- {name} {one}" for one in old - new] + [f"+ {name} {one}" for one in new - old]
    return sorted(lines)


def _values(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - any YAML value
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _values(one, f"{path}.{key}" if path else str(key))
    elif path.endswith(".containers"):
        for one in value:
            yield from _values(one, path)
    elif isinstance(value, list):
        for one in value:
            yield f"{path}: {json.dumps(one)}"
    else:
        yield f"{path}: {json.dumps(value)}"
