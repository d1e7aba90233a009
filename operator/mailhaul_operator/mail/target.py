"""Which relay processes these commands speak to: from options, environment, what `mailhaul up` runs, or a cluster.

A token is never an option's value, for everybody on the machine may read a process's arguments. Failures: ClientError
with the option that mends it.
"""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailhaul_operator.cluster.where import Where, add_where, where
from mailhaul_operator.local.state import DEFAULT, running_file
from mailhaul_operator.mail.client import ClientError, Door, Relay

DEFAULT_URL = "http://127.0.0.1:9090"
URL_VARIABLE = "MAILHAUL_URL"
TOKEN_VARIABLE = "MAILHAUL_TOKEN"  # noqa: S105 - the name of a variable
_MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Doors:
    """The processes of one relay, and why others of them could not be asked. `lost` says of those (by pod) that did not
    answer as they should while a command ran why not; they are asked nothing more.
    """

    doors: tuple[Door, ...]
    silent: tuple[str, ...] = ()
    lost: dict[str, ClientError] = field(default_factory=dict)

    @property
    def left(self) -> tuple[Door, ...]:
        """Those that may be asked; the only one there is may always be."""
        return tuple(one for one in self.doors if one.pod not in self.lost or len(self.doors) == 1)

    @property
    def is_whole(self) -> bool:
        """Whether every process has been asked and has answered."""
        return not self.silent and not self.lost

    @property
    def has_pods(self) -> bool:
        """Whether they are pods of a cluster, which people want to be named."""
        return any(one.pod for one in self.doors) or bool(self.silent)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which relay."""
    parser.add_argument("--url", default="", help=f"the relay's HTTP address, also {URL_VARIABLE} ({DEFAULT_URL})")
    parser.add_argument("--token-file", default="", metavar="FILE", help=f"file with its token, else {TOKEN_VARIABLE}")
    parser.add_argument("--ready-file", default="", metavar="FILE", help="ready file of `mailhaul up`")
    parser.add_argument("--relay", default="", metavar="[NS/]NAME", help="which relay of the ready file or the cluster")
    parser.add_argument("--pod", type=filled, metavar="NAME", help="only this pod of a relay in the cluster")
    parser.add_argument("--cluster", action="store_true", help="a relay in the cluster, whatever runs here")
    add_where(parser, all_namespaces=False)


def filled(text: str) -> str:
    """Read a word that narrows what a command means: an empty one, as of an unset variable, would mean everything."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; is a variable not set? Leave the option out to mean all")
    return text


def find_doors(options: argparse.Namespace, environment: Mapping[str, str]) -> Doors:
    """Give the relay's processes. Options go before the environment, what runs here before a cluster."""
    if _means_cluster(options, environment):
        from mailhaul_operator.mail.pods import pods_of  # noqa: PLC0415 - only when a cluster is asked

        return pods_of(_where(options), options.relay, options.pod or "")
    return Doors((_find_relay(options, environment),))


def _where(options: argparse.Namespace) -> Where:
    if options.url or options.ready_file:
        raise ClientError("--url and --ready-file name a relay by its address; leave the cluster's options out")
    return where(options)


def _means_cluster(options: argparse.Namespace, environment: Mapping[str, str]) -> bool:
    if options.cluster or options.namespace or options.context or options.kubeconfig or options.pod:
        return True
    if options.url or options.ready_file or environment.get(URL_VARIABLE) or running_file(DEFAULT).exists():
        return False
    known = environment.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    return any(Path(one).is_file() for one in known.split(os.pathsep) if one)


def _find_relay(options: argparse.Namespace, environment: Mapping[str, str]) -> Relay:
    ready_file = options.ready_file
    if not ready_file and not options.url and not environment.get(URL_VARIABLE) and running_file(DEFAULT).exists():
        ready_file = str(running_file(DEFAULT))
    if ready_file:
        if options.url:
            raise ClientError("--url and --ready-file exclude one another; give one")
        known = _chosen(_relays(ready_file), options.relay)
        token_file = options.token_file or str(known.get("tokenFile", ""))
        return Relay.at(str(known.get("http", "")), _token(token_file, environment))
    if options.relay:
        raise ClientError("--relay chooses among the relays of a ready file or a cluster; give --ready-file or -n too")
    url = options.url or environment.get(URL_VARIABLE, "") or DEFAULT_URL
    return Relay.at(url, _token(options.token_file, environment))


def _token(file: str, environment: Mapping[str, str]) -> str:
    if not file:
        return _usable(environment.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE)
    return _usable(_read(file, "--token-file"), "--token-file")


def _usable(token: str, source: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable():
        raise ClientError(f"{source} holds no token: it has characters that no token has")
    return token


def _relays(file: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(_read(file, "--ready-file"))
        relays = [one for one in document["relays"] if isinstance(one, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ClientError(f"--ready-file {file} is no ready file of `mailhaul up`") from None
    if not relays:
        raise ClientError(f"--ready-file {file} names no relay")
    return relays


def _chosen(relays: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    keys = {f"{one.get('namespace')}/{one.get('name')}": one for one in relays}
    found = [one for key, one in keys.items() if not wanted or wanted in {key, one.get("name")}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(keys))
    if not found:
        raise ClientError(f"the ready file has no relay {wanted}; it has {names}")
    raise ClientError(f"there are several relays; choose one with --relay: {names}")


def _read(file: str, option: str) -> str:
    try:
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(_MAX_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ClientError(f"{option} {file} cannot be read: {reason}") from None
