"""Mailhaul as a user installs it: both images of this tree in the cluster, and the chart as a release.

Used by the e2e fixtures. With `MAILHAUL_E2E_SCOPE=listed` the release of all modules serves namespaces that it is told
of one by one (`Release.serve`), with a Role in each and no right beyond. A cluster that is only a kubeconfig takes no
image of this tree: `MAILHAUL_E2E_OPERATOR_IMAGE` and `MAILHAUL_E2E_RELAY_IMAGE` then name images that it has.
`MAILHAUL_E2E_KEEP=1` leaves the release installed, for quick rounds of a developer.
"""

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.support.cluster import Cluster
from tests.support.e2e.canaries import hear
from tests.support.e2e.lanes import one_at_a_time
from tests.support.repository import REPOSITORY

BUILD_SECONDS = 900
SYSTEM = "mailhaul-system"
LISTED = "listed"
BEFORE_ANY = "mailhaul-listed"
"""A namespace that is served before any module's, for no namespace in the chart's list means all of them."""
CHART = REPOSITORY / "charts" / "mailhaul"


@dataclass(frozen=True)
class Images:
    """Names of the images under test."""

    operator: str
    relay: str


def _given() -> Images | None:
    operator, relay = os.environ.get("MAILHAUL_E2E_OPERATOR_IMAGE"), os.environ.get("MAILHAUL_E2E_RELAY_IMAGE")
    return Images(operator, relay) if operator and relay else None


def build_images(cluster: Cluster) -> Images:
    """Build both images of this tree into the cluster; layers that did not change are not built again."""
    given = _given()
    if given:
        return given
    if not cluster.command:
        pytest.skip("needs images: set MAILHAUL_E2E_OPERATOR_IMAGE and MAILHAUL_E2E_RELAY_IMAGE for this kubeconfig")
    tag = f"e2e-{_tree()[:12]}"
    images = Images(f"localhost/mailhaul-operator:{tag}", f"localhost/mailhaul-relay:{tag}")
    for name, target in ((images.relay, "relay"), (images.operator, "operator")):
        command = [*cluster.command, "build", str(REPOSITORY), "-t", name, "--target", target]
        with one_at_a_time():
            done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return images


def _tree() -> str:
    """Identity of what goes into the images: another tree gets another tag, so that a changed image is never missed."""
    known = hashlib.sha256()
    folders = (REPOSITORY / "operator", REPOSITORY / "relay", REPOSITORY / "requirements")
    files = [one for folder in folders for one in folder.rglob("*") if one.is_file() and one.suffix != ".pyc"]
    for file in (REPOSITORY / "Dockerfile", REPOSITORY / "pyproject.toml", *sorted(files)):
        known.update(str(file.relative_to(REPOSITORY)).encode() + b"\0" + file.read_bytes())
    return known.hexdigest()


@dataclass(frozen=True)
class Release:
    """The chart, installed. `namespaces` are those it serves; none means all, or what it is told to `serve`."""

    cluster: Cluster
    images: Images
    name: str = "mailhaul"
    namespace: str = SYSTEM
    namespaces: tuple[str, ...] = ()
    served: "list[str] | None" = field(default=None, compare=False)
    """The namespaces that it was told to serve, when it serves listed ones."""

    @classmethod
    def of_session(cls, cluster: Cluster, images: Images) -> "Release":
        """The one of all modules, not yet installed."""
        made = cls(cluster, images)
        if os.environ.get("MAILHAUL_E2E_SCOPE", "") != LISTED:
            return made
        cluster.kubectl("create", "namespace", BEFORE_ANY)
        return replace(made, served=[BEFORE_ANY])

    def serve(self, namespace: str) -> None:
        """Serve a namespace that is there too, with those of before that are left; all are served anyway by default."""
        if self.served is None:
            return
        self.served[:] = [*(one for one in self.served if one != namespace), namespace]
        self.install()

    def helm(self, *arguments: str) -> str:
        """Run helm; the test fails when it fails."""
        program = shutil.which("helm", path=self.cluster.environment["PATH"])
        if program is None:
            pytest.skip("needs helm on the PATH")
        command = [program, "--namespace", self.namespace, *arguments]
        done = subprocess.run(
            command, env=self.cluster.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def values(self) -> list[str]:
        """The values that a test needs: images that were loaded, not pulled."""
        operator, relay = (one.rsplit(":", 1) for one in (self.images.operator, self.images.relay))
        wanted = {
            "operator": {"image": {"repository": operator[0], "tag": operator[1]}},
            "relay": {"image": {"repository": relay[0], "tag": relay[1]}},
            "imagePullPolicy": "IfNotPresent",
            "namespaces": list(self.namespaces or self.served or ()),
        }
        return [word for key, value in wanted.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]

    def install(self, *more: str) -> str:
        """`helm upgrade --install`, waiting for the operator; gives what helm printed (the notes too)."""
        words = ["upgrade", "--install", self.name, str(CHART), "--create-namespace", "--wait", "--timeout=120s"]
        if self._definitions_are_not_helms():
            words.append("--take-ownership")
        self.hear()
        self._confine()
        self._forget_gone()
        try:
            return self.helm(*words, *self.values(), *more)
        except AssertionError as error:
            pytest.fail(f"{error}\n{self.log()[-3000:]}")

    def _forget_gone(self) -> None:
        """No Role can be made in a namespace that has been deleted."""
        if self.served:
            found = self.cluster.get("namespaces")["items"]
            there = {one["metadata"]["name"] for one in found if one["status"]["phase"] == "Active"}
            self.served[:] = [one for one in self.served if one in there]

    def _confine(self) -> None:
        """Have its namespace let pods of the restricted profile in only."""
        self.cluster.kubectl("create", "namespace", self.namespace)
        label = "pod-security.kubernetes.io/enforce=restricted"
        self.cluster.ask("label", "namespace", self.namespace, label, "--overwrite")

    def _definitions_are_not_helms(self) -> bool:
        """A developer's cluster may have them from `kubectl apply`; a fresh one has none."""
        found = self.cluster.kubectl("get", "crd", "smtprelays.mailhaul.dev", "-o", "json")
        labels = json.loads(found.out)["metadata"].get("labels", {}) if found.code == 0 else None
        return labels is not None and labels.get("app.kubernetes.io/managed-by") != "Helm"

    def uninstall(self) -> None:
        """`helm uninstall`, waiting until the operator is gone."""
        self.hear()
        self.helm("uninstall", self.name, "--wait", "--timeout=60s", "--ignore-not-found")

    def log(self) -> str:
        """The operator's log."""
        chosen = f"app.kubernetes.io/instance={self.name}"
        return self.cluster.kubectl("logs", "-n", self.namespace, "-l", chosen, "--tail=-1", "--prefix=false").out

    def hear(self) -> None:
        """Keep what the operator has said before its pod goes (`canaries`)."""
        hear(self.cluster, self.namespace, "-l", f"app.kubernetes.io/instance={self.name}")

    def pod(self) -> str:
        """Name of the operator's running pod."""
        chosen = f"app.kubernetes.io/instance={self.name}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            pods = self.cluster.get("pods", "-n", self.namespace, "-l", chosen)["items"]
            running = [one for one in pods if "deletionTimestamp" not in one["metadata"]]
            if len(running) == 1 and running[0]["status"].get("phase") == "Running":
                return str(running[0]["metadata"]["name"])
            time.sleep(0.5)
        pytest.fail("the operator has no running pod")


@contextmanager
def installed(release: Release) -> Iterator[Release]:
    """The release for the time of a test session, then uninstalled; its namespace goes too."""
    release.install()
    try:
        yield release
    finally:
        if not os.environ.get("MAILHAUL_E2E_KEEP"):
            release.uninstall()
            gone = [release.namespace, *([BEFORE_ANY] if release.served else [])]
            release.cluster.kubectl("delete", "namespace", *gone, "--wait=false", "--ignore-not-found")
