"""End-to-end modules run side by side only where the cluster's command keeps more than one cluster, each its own."""

from pathlib import Path

import pytest
from tests.support.e2e import lanes
from tests.support.e2e.lanes import clusters_of, lane_count, lane_variables

COMMAND = """#!/bin/sh
state={state}
echo "$1 $state" >>"{folder}/calls"
[ "$1" = up ] && mkdir -p "$state"
[ "$1" = down ] && rmdir "$state"
echo "export KUBECONFIG=$state/kubeconfig PATH={folder}:$PATH"
"""
KUBECTL = """#!/bin/sh
test -d "${KUBECONFIG%/kubeconfig}"
"""
MANY, ONE = "${{CLUSTER_STATE:-{folder}/own}}", "{folder}/own"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAILHAUL_E2E_KUBECONFIG", "MAILHAUL_E2E_CLUSTER", "MAILHAUL_E2E_LANES", "CLUSTER_STATE"):
        monkeypatch.delenv(name, raising=False)


def _command(folder: Path, state: str) -> str:
    """A command whose cluster is up while there is a folder of it; it keeps a list of its calls."""
    script = COMMAND.format(state=state.format(folder=folder), folder=folder)
    for name, text in (("kubectl", KUBECTL), ("cluster", script)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder / "cluster")


def test_each_lane_has_a_cluster_beside_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", _command(tmp_path, MANY))
    assert lane_count() == 2
    assert lane_variables(0) == {}
    second = lane_variables(1)
    assert second["CLUSTER_STATE"] == f"{tmp_path}/own-1"
    assert int(second["CLUSTER_PORT"]) > 1023


def test_one_cluster_is_no_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lane_count() == 0
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", f"{tmp_path}/absent")
    assert lane_count() == 0
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", _command(tmp_path, ONE))
    assert lane_count() == 0
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", _command(tmp_path, MANY))
    monkeypatch.setenv("MAILHAUL_E2E_LANES", "1")
    assert lane_count() == 0
    monkeypatch.setenv("MAILHAUL_E2E_LANES", "2")
    monkeypatch.setenv("MAILHAUL_E2E_KUBECONFIG", "given")
    assert lane_count() == 0


def test_clusters_that_were_started_are_stopped_and_one_that_was_up_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILHAUL_E2E_CLUSTER", _command(tmp_path, MANY))
    monkeypatch.setattr(lanes, "APART", "env")  # no namespaces: not everybody may
    (tmp_path / "own").mkdir()

    def interrupted() -> None:
        with clusters_of([lane_variables(0), lane_variables(1)]):
            assert (tmp_path / "own-1").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "own").exists()
    assert not (tmp_path / "own-1").exists()
