"""Which cluster and namespace a command means: its options, and the value made of them."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster and namespace. Empty means what kubeconfig says; `everywhere` is all namespaces."""

    context: str = ""
    kubeconfig: Path | None = None
    namespace: str = ""
    everywhere: bool = False


def add_where(parser: argparse.ArgumentParser, *, all_namespaces: bool) -> None:
    """Add the options that say which cluster and namespace."""
    parser.add_argument("-n", "--namespace", default="", metavar="NAMESPACE", help="(default: that of the context)")
    if all_namespaces:
        parser.add_argument("-A", "--all-namespaces", action="store_true", help="every namespace")
    parser.add_argument("--context", default="", metavar="NAME", help="a context of kubeconfig (default: the current)")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="(default: KUBECONFIG, else ~/.kube/config)")


def where(options: argparse.Namespace) -> Where:
    """What these options say."""
    everywhere = getattr(options, "all_namespaces", False)
    return Where(options.context, options.kubeconfig, options.namespace, everywhere)
