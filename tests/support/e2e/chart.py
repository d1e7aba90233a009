"""The chart as helm renders it: objects by kind and name, and in what two renderings differ.

Used by the tests of the chart; needs helm on the cluster's PATH, and no cluster.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from tests.support.cluster import Cluster
from tests.support.repository import REPOSITORY

CHART = REPOSITORY / "charts" / "mailhaul"
SECONDS = 60
Values = Mapping[str, Any]


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
    sets = [word for key, value in values.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    words = ["template", "mailhaul", str(CHART), "--namespace", "mailhaul-system", "--kube-version", "1.34.0"]
    return helm(cluster, *words, *sets, *more)


def rendered(cluster: Cluster, values: Values, *more: str) -> dict[str, Any]:
    """The objects by `Kind/name`, with the namespace before it for those of a namespace that is not the release's."""
    done = template(cluster, values, *more)
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    return {_name(one): one for one in objects}


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
