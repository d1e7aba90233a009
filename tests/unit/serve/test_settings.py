"""Flags win over the environment, wrong values are told with their remedy, and a pod knows itself."""

import socket
from pathlib import Path

import pytest

from mailhaul_operator.serve.settings import parse


def test_flags_win_over_the_environment(tmp_path: Path) -> None:
    environment = {"MAILHAUL_IMAGE": "relay:env", "MAILHAUL_LEASE_NAME": "env", "MAILHAUL_NAMESPACE": "a,b"}
    found = parse(["--lease-name", "flag"], environment, tmp_path / "none")
    assert (found.image, found.lease_name, found.namespaces) == ("relay:env", "flag", ("a", "b"))
    assert (found.health_port, found.metrics_port) == (8080, 9090)


def test_a_pull_secret_may_have_dots_and_a_namespace_may_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--image-pull-secret", "registry.example.com"]
    assert parse(given, {}, tmp_path / "none").image_pull_secrets == ("registry.example.com",)
    in_environment = {"MAILHAUL_IMAGE_PULL_SECRET": "a.b,c"}
    assert parse([], in_environment, tmp_path / "none").image_pull_secrets == ("a.b", "c")
    with pytest.raises(SystemExit):
        parse(["--namespace", "a.b"], {}, tmp_path / "none")
    assert "'a.b' is no name" in capsys.readouterr().err


def test_outside_of_a_cluster_no_two_processes_have_one_identity(tmp_path: Path) -> None:
    one, two = (parse([], {"KUBECONFIG": "/etc/k"}, tmp_path / "none") for _ in range(2))
    assert one.identity != two.identity
    assert (one.kubeconfig, one.own_namespace) == (Path("/etc/k"), "")


def test_in_a_pod_it_is_the_pod_by_name_and_namespace(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("mailhaul-system\n")
    found = parse(["-n", "a", "-n", "a"], {}, tmp_path)
    assert (found.identity, found.own_namespace) == (socket.gethostname(), "mailhaul-system")
    assert (found.lease_namespace, found.kubeconfig, found.namespaces) == ("mailhaul-system", None, ("a",))
    assert found.facts().operator_namespace == "mailhaul-system"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--namespace", "Not_A_Name"], "use a-z, 0-9 and -"),
        (["--health-port", "70000"], "write a number from 0 to 65535"),
        (["--image-pull-policy", "Sometimes"], "IfNotPresent"),
        (["--log-level", "loud"], "debug"),
    ],
)
def test_a_wrong_value_is_told_with_its_remedy(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments, {}, tmp_path / "none")
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
