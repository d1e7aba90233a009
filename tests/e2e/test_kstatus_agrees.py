"""kstatus itself, which Flux and `helm --wait` use, concludes from our statuses what the golden files say."""

import json
import shutil
import subprocess

import pytest
from tests.golden.assess.cases import CASES, read, statuses
from tests.support.cluster import Cluster
from tests.support.kstatus_rule import kstatus

pytestmark = pytest.mark.e2e


def test_kstatus_concludes_what_the_golden_files_say(cluster: Cluster) -> None:
    program = shutil.which("kstatus", path=cluster.environment["PATH"])
    if program is None:
        pytest.skip("the kstatus program is needed")
    items, wanted = [], []
    for case in CASES:
        for at, generation, status in statuses(case):
            name = f"{case}-at-{at}"
            meta = {"name": name, "namespace": "smtp", "generation": generation}
            kind = read(case)["kind"]
            body = status.model_dump(mode="json", by_alias=True, exclude_none=True)
            items.append({"apiVersion": "mailhaul.dev/v1alpha1", "kind": kind, "metadata": meta, "status": body})
            wanted.append((name, kstatus(status, generation)))
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = subprocess.run([program], input=listed, capture_output=True, text=True, timeout=60, check=True)
    said = [tuple(line.split("\t")[1:3]) for line in done.stdout.splitlines()]
    assert said == wanted
