"""What helm prints after an install can be pasted: a shell runs it, and kubectl is given two resources that are valid.

kubectl is a stub that keeps its arguments and what it is given on standard input. Nothing is installed here.
"""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.support.cluster import Cluster
from tests.support.e2e.chart import notes

from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider

pytestmark = [pytest.mark.e2e]

STUB = """#!/bin/sh
echo "$*" >>calls
case "$*" in *"-f -"*) cat >given ;; esac
"""


@pytest.mark.parametrize(("namespaces", "there"), [([], "default"), (["shop", "smtp"], "shop")])
def test_the_printed_commands_run_as_they_stand(
    cluster: Cluster, tmp_path: Path, namespaces: list[str], there: str
) -> None:
    text = notes(cluster, tmp_path, {"namespaces": namespaces})
    commands = _commands(text)
    stub = tmp_path / "kubectl"
    stub.write_text(STUB)
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "calls").read_text().splitlines() == [
        "-n mailhaul-system rollout status deployment/mailhaul",
        f"apply -n {there} -f -",
        f"get -n {there} smtprelays --watch",
    ]
    provider, relay = yaml.safe_load_all((tmp_path / "given").read_text())
    UpstreamProvider.model_validate(provider)
    SmtpRelay.model_validate(relay)


def _commands(text: str) -> str:
    """The paragraphs that begin with a command after their first line, as somebody marks them with the mouse."""
    paragraphs = [part.split("\n", 1) for part in text.split("\n\n")]
    return "\n".join(rest[0] for _, *rest in paragraphs if rest and rest[0].startswith("kubectl"))
