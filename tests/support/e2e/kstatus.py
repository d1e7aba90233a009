"""What the kstatus program, and so Flux and `helm --wait`, concludes from resources as they are. Where a cluster comes
without the program, the rule that it is held against (tests/e2e/test_kstatus_agrees.py) speaks for it.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.e2e.stage import Stage
from tests.support.kstatus_rule import kstatus_of

SECONDS = 60


def concluded(stage: Stage, *resources: str) -> str:
    """Current, InProgress or Failed: the worst of the resources (`smtprelay/relay`)."""
    said = conclusions(stage, *resources)
    return max(said.values(), key=("Current", "InProgress", "Failed").index)


def conclusions(stage: Stage, *resources: str) -> dict[str, str]:
    """What it concludes for each, by kind and name."""
    return concluded_of(stage, [stage.get(one) for one in resources])


def concluded_of(stage: Stage, items: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What it concludes for these resources as they were read."""
    path = stage.cluster.environment["PATH"]
    program = shutil.which("kstatus", path=path)
    if program is None:
        return {f"{one['kind']}/{one['metadata']['name']}": kstatus_of(one) for one in items}
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
    done = subprocess.run([program], input=listed, capture_output=True, text=True, timeout=SECONDS, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return {f"{kind}/{name}": conclusion for kind, name, conclusion, *_ in lines}
