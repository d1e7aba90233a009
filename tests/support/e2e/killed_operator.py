"""An operator that is killed over and over, in a pod with the chart's own ServiceAccount, image and arguments.

The pod's program imports the operator once and then forks: each child is a whole operator, with connections of its own,
and gets SIGKILL at a random moment after it took the lease. Children share the pod's name and with it the identity, so
that none waits for the lease of the one before; a new pod for each kill would wait 15 s. Works on any cluster.
"""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.e2e.canaries import hear
from tests.support.e2e.release import Release
from tests.support.e2e.stage import PYTHON

NAME = "killed-operator"
LONGEST = 1.5
"""Seconds after which an operator that leads is killed at the latest: it has then listed all and made some passes."""
PROGRAM = """
import os, random, signal, sys, time
from mailhaul_operator.serve import running
from mailhaul_operator.serve.command import operator
kills, longest, chance = int(sys.argv[1]), float(sys.argv[2]), random.Random(sys.argv[3])
count = 0
for number in range(kills):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 2)
        os.close(reading)
        os._exit(operator(sys.argv[4:]))
    os.close(writing)
    with os.fdopen(reading, errors="replace") as told:
        for line in told:
            sys.stderr.write(line)
            if "the lease is held" in line:
                break
        lived = chance.uniform(0, longest)
        time.sleep(lived)
        os.kill(child, signal.SIGKILL)
        rest = told.read()
    _, status = os.waitpid(child, 0)
    by_us = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    sys.stderr.write(rest)
    count += by_us
    print(f"kill {number + 1}: after {lived:.2f} s, killed: {by_us}", flush=True)
print(f"all kills are done: {count}.", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class KilledOperator:
    """The pod, and the release whose place it takes."""

    release: Release
    kills: int

    def killed(self) -> int | None:
        """How many operators were alive and leading when their SIGKILL came; None before the last one."""
        _, done, rest = self.log().rpartition("all kills are done: ")
        return int(rest.partition(".")[0]) if done else None

    def log(self) -> str:
        """What the program and its operators said."""
        return self.release.cluster.kubectl("logs", "-n", self.release.namespace, NAME).out


@contextmanager
def killed_operator(release: Release, kills: int) -> Iterator[KilledOperator]:
    """Put the killed operator in the place of the release's own, which comes back at the end."""
    cluster, space = release.cluster, release.namespace
    (deployment,) = cluster.get("deployments", "-n", space, "-l", f"app.kubernetes.io/instance={release.name}")["items"]
    name = f"deployment/{deployment['metadata']['name']}"
    release.hear()
    cluster.ask("scale", name, "-n", space, "--replicas=0")
    cluster.ask("wait", "pod", "-n", space, "-l", f"app.kubernetes.io/instance={release.name}", "--for=delete")
    try:
        cluster.ask("apply", "-n", space, "-f", "-", stdin=json.dumps(_pod(deployment, kills)))
        yield KilledOperator(release, kills)
    finally:
        hear(cluster, space, NAME)
        cluster.kubectl("delete", "pod", NAME, "-n", space, "--force", "--grace-period=0")
        cluster.ask("scale", name, "-n", space, "--replicas=1")
        cluster.ask("rollout", "status", name, "-n", space, "--timeout=60s")


def _pod(deployment: dict[str, Any], kills: int) -> dict[str, Any]:
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    left = {key: value for key, value in container.items() if not key.endswith("Probe")}
    seed = random.Random(time.time()).randrange(10**6)
    print(f"seed of the kills: {seed}")
    command = [PYTHON, "-c", PROGRAM, str(kills), str(LONGEST), str(seed), *container["args"][1:]]
    spec = {**spec, "restartPolicy": "Never", "containers": [{**left, "command": command, "args": []}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME}, "spec": spec}
