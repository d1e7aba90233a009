"""Which ports a relay has, and who may reach them: what Service and NetworkPolicy are filled with.

Called by `objects`. Pure.
"""

from typing import Any

from mailhaul_contract.names import HTTP_PORT
from mailhaul_operator.api.relay_listeners import RelayListener
from mailhaul_operator.plan.snapshot import Snapshot


def ports(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Give the ports of the listeners, by name: those that are closed for want of a certificate too, so that its
    arrival restarts no pod.

    A port of a Service is named like the listener; one of a container has at most 15 characters (IANA_SVC_NAME).
    """
    return [
        {
            "name": listener.name,
            "port": listener.port,
            "target": (target := snapshot.ports.get(listener.port, listener.port)),
            "container_name": f"smtp-{target}",
        }
        for listener in sorted(snapshot.relay.spec.listeners, key=lambda one: one.name)
    ]


def access(snapshot: Snapshot) -> dict[str, Any]:
    """Give who may connect where. Mail to an alias may come from anywhere, and so may who logs in; all else from the
    trusted networks only, and where a proxy hands over connections only from proxies.

    The HTTP port is for the operator, and for whoever scrapes metrics when a ServiceMonitor was asked for; `watchers`
    selects namespaces, none when the operator's own is not known.
    """
    spec, namespace = snapshot.relay.spec, snapshot.facts.operator_namespace
    watchers: dict[str, Any] | None = {"matchLabels": {"kubernetes.io/metadata.name": namespace}} if namespace else None
    if spec.monitoring.service_monitor:
        watchers = {}
    return {"doors": _doors(snapshot), "watchers": watchers, "http_port": HTTP_PORT}


def _doors(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Ports by who may reach them; `networks` is None for everybody. A port that nobody may reach is in none."""
    targets = {one["name"]: one["target"] for one in ports(snapshot)}
    doors: dict[tuple[str, ...] | None, list[int]] = {}
    for listener in sorted(snapshot.relay.spec.listeners, key=lambda one: one.name):
        doors.setdefault(_reachable(snapshot, listener), []).append(targets[listener.name])
    return [{"ports": found, "networks": networks} for networks, found in doors.items() if networks != ()]


def _reachable(snapshot: Snapshot, listener: RelayListener) -> tuple[str, ...] | None:
    spec = snapshot.relay.spec
    if listener.proxy_protocol:
        return tuple(sorted(listener.proxy_protocol.trusted_networks))
    if spec.aliases.domains or listener.takes_logins:
        return None
    own = listener.allowed_networks
    return tuple(sorted(spec.clients.trusted_networks if own is None else own))
