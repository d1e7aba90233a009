"""Which relay `mailhaul queue` speaks to: from options, environment, or the ready file of `mailhaul up`.

A token is never an option's value, for everybody on the machine may read a process's arguments. Failures: ClientError
with the option that mends it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailhaul_relay.http.client import ClientError, Relay

DEFAULT_URL = "http://127.0.0.1:9090"
URL_VARIABLE = "MAILHAUL_URL"
TOKEN_VARIABLE = "MAILHAUL_TOKEN"  # noqa: S105 - the name of a variable
_MAX_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """What the options say; "" where they say nothing. `relay` is `namespace/name` or a name."""

    url: str = ""
    token_file: str = ""
    ready_file: str = ""
    relay: str = ""


def find_relay(target: Target, environment: Mapping[str, str]) -> Relay:
    """Give the relay. Options go before the environment."""
    if target.ready_file:
        if target.url:
            raise ClientError("--url and --ready-file exclude one another; give one")
        known = _chosen(_relays(target.ready_file), target.relay)
        token_file = target.token_file or str(known.get("tokenFile", ""))
        return Relay.at(str(known.get("http", "")), _token(token_file, environment))
    if target.relay:
        raise ClientError("--relay chooses among the relays of a ready file; give --ready-file too")
    url = target.url or environment.get(URL_VARIABLE, "") or DEFAULT_URL
    return Relay.at(url, _token(target.token_file, environment))


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
