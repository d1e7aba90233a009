"""A cluster from kind, by pytest-kind, where a Docker engine answers: the same seam as a cluster command.

`python -m tests.support.kind_cluster NAME build DIR -t IMAGE ...` is its `build`: docker builds, kind loads. Used by
`cluster`. Without Docker nothing of it is called.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

NAME = "mailhaul"
NODE = os.environ.get("MAILHAUL_E2E_KIND_IMAGE", "kindest/node:v1.34.0")
"""The chart needs Kubernetes 1.32; pytest-kind's own default is older."""
os.environ.setdefault("KIND_VERSION", "v0.30.0")
os.environ.setdefault("KUBECTL_VERSION", "v1.34.0")


def docker_answers() -> bool:
    """Whether a Docker engine runs here; the client alone is not one."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], capture_output=True, timeout=30, check=False).returncode == 0


@contextmanager
def kind_environment() -> Iterator[tuple[Mapping[str, str], tuple[str, ...]]]:
    """Make the cluster; give its environment and the command that builds images into it. It is deleted after."""
    from pytest_kind.cluster import KindCluster

    cluster = KindCluster(NAME, image=NODE)
    cluster.create()
    try:
        cluster.ensure_kubectl()
        programs = cluster.path / "bin"
        programs.mkdir(exist_ok=True)
        kubectl = programs / "kubectl"
        if not kubectl.exists():
            kubectl.symlink_to(cluster.kubectl_path.absolute())
        path = os.pathsep.join((str(programs.absolute()), os.environ["PATH"]))
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig_path.absolute()), "PATH": path}
        yield environment, (sys.executable, "-m", "tests.support.kind_cluster", NAME)
    finally:
        cluster.delete()


def build(name: str, arguments: list[str]) -> None:
    """Build an image with docker, then load it into the cluster's node."""
    from pytest_kind.cluster import KindCluster

    subprocess.run(["docker", "build", *arguments], check=True)
    cluster = KindCluster(name)
    cluster.ensure_kind()
    cluster.load_docker_image(arguments[arguments.index("-t") + 1])


if __name__ == "__main__":
    build(sys.argv[1], sys.argv[3:])
