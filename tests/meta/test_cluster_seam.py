"""The seam by which tests find a cluster survives a start that fails, and says what the command said."""

from pathlib import Path

import pytest
from tests.support.cluster import running_cluster

KUBECTL = "#!/bin/sh\necho ok\n"
COMMAND = """#!/bin/sh
echo "$1" >>"{folder}/calls"
case $1 in
  env) exit 1 ;;
  up) if [ "$(grep -c up "{folder}/calls")" -le {failures} ]; then echo "the node stopped" >&2; exit 1; fi
      echo "export KUBECONFIG={folder}/kubeconfig PATH={folder}:$PATH" ;;
esac
"""


def command(folder: Path, failures: int) -> str:
    """A cluster command whose first starts fail; it keeps a list of its calls."""
    for name, text in (("kubectl", KUBECTL), ("cluster", COMMAND.format(folder=folder, failures=failures))):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder / "cluster")


def test_a_start_that_fails_is_cleared_away_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILHAUL_E2E_KUBECONFIG", raising=False)
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", command(tmp_path, failures=1))
    with running_cluster() as cluster:
        assert cluster.environment["KUBECONFIG"] == f"{tmp_path}/kubeconfig"
    assert (tmp_path / "calls").read_text().split() == ["env", "up", "down", "up", "down"]


def test_a_start_that_always_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILHAUL_E2E_KUBECONFIG", raising=False)
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", command(tmp_path, failures=9))
    with pytest.raises(pytest.fail.Exception, match="the node stopped"), running_cluster():
        pass


def test_docker_without_an_engine_is_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some machines have only Docker's client."""
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    for name in ("MAILHAUL_E2E_KUBECONFIG", "MAILHAUL_E2E_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(pytest.skip.Exception, match="MAILHAUL_E2E_CLUSTER"), running_cluster():
        pass
