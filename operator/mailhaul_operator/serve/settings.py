"""What one operator is told at its start: from flags, or from the environment where a flag is absent.

Used by `command` and `running`. Failures: argparse's, exit code 2 with the flag and the remedy.
"""

import argparse
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import re2

from mailhaul_contract.base import NAME_PATTERN, OBJECT_NAME_PATTERN
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.serve.logs import LEVELS

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""What the kubelet mounts into a pod; absent elsewhere."""
PREFIX = "MAILHAUL_"
"""Environment variables: `MAILHAUL_LEASE_NAME` for `--lease-name`, lists separated by commas."""
PULL_POLICIES = ("Always", "IfNotPresent", "Never")


@dataclass(frozen=True, slots=True)
class Settings:
    """No `namespaces` are all of them; no `kubeconfig` is the pod's ServiceAccount; a port of 0 takes a free one.
    `own_namespace` is "" outside of a cluster; `identity` is what the lease names as its holder.
    """

    image: str
    image_pull_policy: str
    image_pull_secrets: tuple[str, ...]
    namespaces: tuple[str, ...]
    lease_namespace: str
    lease_name: str
    health_port: int
    metrics_port: int
    log_level: str
    kubeconfig: Path | None
    own_namespace: str
    identity: str

    def facts(self) -> Facts:
        """Give what the plan is told of the operator."""
        return Facts(
            image=self.image,
            image_pull_policy=self.image_pull_policy,
            image_pull_secrets=self.image_pull_secrets,
            operator_namespace=self.own_namespace,
        )


def parse(arguments: list[str], environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Settings:
    """Read the command line. Raises SystemExit(2)."""
    given = _parser(environment, account).parse_args(arguments)
    inside = account.exists()
    kubeconfig = given.kubeconfig or (None if inside else _default_kubeconfig(environment))
    return Settings(
        image=given.image,
        image_pull_policy=given.image_pull_policy,
        image_pull_secrets=tuple(given.image_pull_secret),
        namespaces=tuple(dict.fromkeys(given.namespace)),
        lease_namespace=given.lease_namespace,
        lease_name=given.lease_name,
        health_port=given.health_port,
        metrics_port=given.metrics_port,
        log_level=given.log_level,
        kubeconfig=kubeconfig,
        own_namespace=_own_namespace(account),
        identity=_identity(inside=inside),
    )


def _identity(*, inside: bool) -> str:
    """A pod's name is enough: its container runs once at a time, and a restarted one need not wait for itself."""
    return socket.gethostname() if inside else f"{socket.gethostname()}_{token_hex(4)}"


def _own_namespace(account: Path) -> str:
    file = account / "namespace"
    return file.read_text().strip() if file.exists() else ""


def _default_kubeconfig(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("KUBECONFIG") or Path.home() / ".kube" / "config")


def _parser(environment: Mapping[str, str], account: Path) -> argparse.ArgumentParser:
    def default(flag: str, otherwise: str) -> str:
        return environment.get(PREFIX + flag.upper().replace("-", "_"), otherwise)

    def several(flag: str, kind: Callable[[str], str]) -> list[str]:
        return [kind(one) for one in default(flag, "").split(",") if one]

    parser = argparse.ArgumentParser(
        prog="mailhaul operator",
        description="Keep every relay of a cluster as its resources say, and tell whether mail leaves.",
        epilog=f"Each flag may be given in the environment: --lease-name as {PREFIX}LEASE_NAME. "
        "Exit codes: 0 stopped by a signal; 1 the lease was lost or the API server cannot be used; 2 wrong usage.",
    )
    text = parser.add_argument
    text("--image", default=default("image", ""), help="image of the relays' pods")
    text("--image-pull-policy", choices=PULL_POLICIES, default=default("image-pull-policy", "IfNotPresent"))
    text(
        *("--image-pull-secret",),
        action="append",
        type=_object_name,
        default=several("image-pull-secret", _object_name),
        metavar="NAME",
    )
    text(
        *("--namespace", "-n"),
        action="append",
        type=_name,
        default=several("namespace", _name),
        metavar="NAME",
        help="serve only this namespace; may be repeated (default: all)",
    )
    text("--lease-namespace", type=_name, default=default("lease-namespace", _own_namespace(account) or "default"))
    text("--lease-name", type=_object_name, default=default("lease-name", "mailhaul-operator"))
    text("--health-port", type=_port, default=default("health-port", "8080"), help="/healthz (default: 8080)")
    text("--metrics-port", type=_port, default=default("metrics-port", "9090"), help="/metrics (default: 9090)")
    text("--log-level", choices=LEVELS, default=default("log-level", "info"))
    text("--kubeconfig", type=Path, metavar="FILE", help="outside of a cluster (default: KUBECONFIG)")
    return parser


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number from 0 to 65535")


def _name(text: str) -> str:
    return _fitting(text, NAME_PATTERN, 63)


def _object_name(text: str) -> str:
    return _fitting(text, OBJECT_NAME_PATTERN, 253)


def _fitting(text: str, pattern: str, longest: int) -> str:
    if len(text) <= longest and re2.fullmatch(pattern, text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no name of Kubernetes; use a-z, 0-9 and -")
