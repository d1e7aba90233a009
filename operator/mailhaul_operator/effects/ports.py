"""Keeps the names that the ports of a living Service have.

kube-proxy finds a port's endpoints by its name: a Service that is taken over (`mailhaul.dev/adopt`) would refuse every
connection for about a second if its port were renamed, until the endpoints have the new name too. Nothing of ours goes
by that name. Called by `apply`. Pure.
"""

from collections.abc import Mapping
from typing import Any


def with_port_names_of(live: Mapping[str, Any], desired: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the desired Service with the live one's names for the same ports; other objects as they are. A lone port may
    have no name, several must (and then ours are taken).
    """
    if desired.get("kind") != "Service" or not desired.get("spec", {}).get("ports"):
        return desired
    ports = [dict(one) for one in desired.get("spec", {}).get("ports") or ()]
    names = {_key(one): one.get("name", "") for one in live.get("spec", {}).get("ports") or ()}
    kept = [{**one, "name": names.get(_key(one), one.get("name", ""))} for one in ports]
    if len(kept) > 1 and (len({one["name"] for one in kept}) < len(kept) or not all(one["name"] for one in kept)):
        return desired
    cleared = [{name: value for name, value in one.items() if name != "name" or value} for one in kept]
    return {**desired, "spec": {**desired["spec"], "ports": cleared}}


def _key(port: Mapping[str, Any]) -> tuple[object, object]:
    return port.get("port"), port.get("protocol", "TCP")
