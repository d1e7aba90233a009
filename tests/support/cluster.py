"""The one seam by which tests find a Kubernetes cluster.

`MAILHAUL_E2E_KUBECONFIG` names a kubeconfig of a cluster that is there. Else `MAILHAUL_E2E_CLUSTER` names a command
that speaks `up`, `env`, `build`, `load` and `down`; `up` and `env` print a shell line that exports KUBECONFIG and PATH.
A cluster that was up before is left up. Else, where a Docker engine answers, pytest-kind makes a cluster
(`kind_cluster`). Without any of these, or without kubectl, tests skip and say so. The developer's own KUBECONFIG is
never used.
"""

import json
import os
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.api_reads import close_reads, reads_of
from tests.support.kind_cluster import docker_answers, kind_environment

UP_SECONDS = 900
"""The first `up` on a machine compiles Kubernetes."""
CALL_SECONDS = 120
UP_ATTEMPTS = 3


@dataclass(frozen=True)
class Answer:
    """What kubectl said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cluster:
    """A cluster, spoken to by kubectl. `environment` has its KUBECONFIG and PATH; one that was given has no command."""

    environment: Mapping[str, str]
    command: tuple[str, ...] = ()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> Answer:
        """Run kubectl; whatever it says is an answer. What it would only read is read without it (`api_reads`)."""
        read = None if stdin is not None else self._read(arguments)
        if read is not None:
            return Answer(0, read, "")
        program = shutil.which("kubectl", path=self.environment["PATH"]) or "kubectl"
        done = subprocess.run(
            [program, *arguments],
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def _read(self, arguments: tuple[str, ...]) -> str | None:
        reads = reads_of(Path(self.environment.get("KUBECONFIG", "")))
        return None if reads is None else reads.answer(arguments)

    def ask(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and give what it printed; the test fails when it fails."""
        answer = self.kubectl(*arguments, stdin=stdin)
        assert answer.code == 0, f"kubectl {' '.join(arguments)}: {answer.err}"
        return answer.out

    def get(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON value
        """Give what `kubectl get` finds, as JSON."""
        return json.loads(self.ask("get", *arguments, "-o", "json"))

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """Give the name of a new namespace, which goes with all that is in it."""
        name = f"mailhaul-{uuid.uuid4().hex[:8]}"
        self.ask("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def running_cluster(variables: Mapping[str, str] = os.environ) -> Iterator[Cluster]:
    """Give the cluster that the environment's variables name, started when it was not up; skips the test when there is
    none."""
    with ExitStack() as stack:
        stack.callback(close_reads)
        yield stack.enter_context(_found(variables))


@contextmanager
def _found(variables: Mapping[str, str]) -> Iterator[Cluster]:
    given = variables.get("MAILHAUL_E2E_KUBECONFIG")
    command = tuple(shlex.split(variables.get("MAILHAUL_E2E_CLUSTER", "")))
    if given:
        yield _answering(Cluster({**variables, "KUBECONFIG": given}))
    elif command:
        with _started(command, variables) as cluster:
            yield cluster
    elif docker_answers():
        with kind_environment() as (environment, builder):
            yield _answering(Cluster(environment, builder))
    else:
        pytest.skip("needs a cluster: set MAILHAUL_E2E_KUBECONFIG, or MAILHAUL_E2E_CLUSTER to a command, or run Docker")


@contextmanager
def _started(command: tuple[str, ...], variables: Mapping[str, str]) -> Iterator[Cluster]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs a cluster: MAILHAUL_E2E_CLUSTER names no program ({command[0]})")
    known = told(command, variables)
    if known and Cluster(known).kubectl("get", "--raw", "/readyz").code == 0:
        yield Cluster(known, command)
        return
    try:
        yield _answering(Cluster(_up(command, variables), command))
    finally:
        _call(command, "down", variables)


def told(command: tuple[str, ...], variables: Mapping[str, str]) -> Mapping[str, str] | None:
    """Give the environment of the cluster that the command speaks of, up or not; None when it tells of none."""
    return _environment(_call(command, "env", variables), variables)


def _up(command: tuple[str, ...], variables: Mapping[str, str]) -> Mapping[str, str]:
    """Start the cluster. A start that failed is cleared away and tried again: on a busy machine one in some hundreds
    takes its own process, not yet begun, for one that died."""
    said = []
    for _ in range(UP_ATTEMPTS):
        answer = _call(command, "up", variables)
        environment = _environment(answer, variables)
        if environment is not None:
            return environment
        said.append(f"exit {answer.code}: {answer.err.strip()[-600:] or 'nothing on stderr'}")
        _call(command, "down", variables)
    pytest.fail("\n".join((f"`{shlex.join(command)} up` failed {UP_ATTEMPTS} times", *said)))


def _call(command: tuple[str, ...], verb: str, variables: Mapping[str, str]) -> Answer:
    done = subprocess.run(
        [*command, verb], env=variables, capture_output=True, text=True, timeout=UP_SECONDS, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def _environment(answer: Answer, variables: Mapping[str, str]) -> Mapping[str, str] | None:
    """Give the environment after the shell line that the command printed; None when it failed."""
    if answer.code != 0:
        return None
    script = ["bash", "-c", 'eval "$1" && env -0', "bash", answer.out]
    shell = subprocess.run(script, env=variables, stdout=subprocess.PIPE, text=True, timeout=CALL_SECONDS, check=True)
    return dict(pair.split("=", 1) for pair in shell.stdout.split("\0") if "=" in pair)


def _answering(cluster: Cluster) -> Cluster:
    if shutil.which("kubectl", path=cluster.environment["PATH"]) is None:
        pytest.skip("needs kubectl on the PATH")
    answer = cluster.kubectl("get", "--raw", "/readyz")
    if answer.code != 0:
        pytest.fail(f"the cluster does not answer: {answer.err.strip()[:300]}")
    return cluster
