"""`objects`: the manifests of one relay, from its plan.

Called by the reconciler after `plan`, and by `mailhaul render`. One template an object (`manifests/`); here is which
objects there are, in which order they are applied, and what fills them. Pure.
"""

import base64
from collections.abc import Iterator
from typing import Any

from mailhaul_contract.names import ALIAS_TABLE_FILES, API_VERSION, CONFIG_FILE, SECRET_REVISION
from mailhaul_operator.api.amounts import format_quantity
from mailhaul_operator.plan import naming
from mailhaul_operator.plan.marking import marked, marked_secret
from mailhaul_operator.plan.pod import persistent, pod, replicas
from mailhaul_operator.plan.snapshot import Manifest, Plan, Snapshot
from mailhaul_operator.plan.templates import render
from mailhaul_operator.plan.traffic import access, ports


def objects(snapshot: Snapshot, plan: Plan) -> tuple[Manifest, ...]:
    """Give every object that the relay should have, in the order of application: the workload last.

    None at all while there is no configuration to run: what runs then stays as it is, and nothing is to be pruned.
    """
    return tuple(_objects(snapshot, plan)) if plan.config else ()


def _objects(snapshot: Snapshot, plan: Plan) -> Iterator[Manifest]:
    spec, relay = snapshot.relay.spec, plan.name
    shared = _shared(snapshot)

    def made(template: str, name: str, **more: Any) -> Manifest:  # noqa: ANN401 - what the template asks for
        return marked(render(template, {**shared, "name": name, **more}))

    yield made("serviceaccount", naming.configuration(relay))
    yield _secret(shared, plan)
    for number, table in enumerate(plan.tables):
        yield made(
            "configmap", naming.alias_table(relay, number), file=ALIAS_TABLE_FILES[number], content=table.decode()
        )
    yield made("configmap", naming.configuration(relay), file=CONFIG_FILE, content=plan.content.decode())
    if spec.network_policy.enabled:
        yield made("networkpolicy", relay)
    if replicas(snapshot) > 1:
        yield made("poddisruptionbudget", relay)
    yield made("pods-service", naming.pods_service(relay))
    yield made("service", relay, annotations=dict(spec.service.annotations), **_service(snapshot))
    if spec.monitoring.service_monitor and snapshot.facts.service_monitors:
        yield made("servicemonitor", relay)
    yield made("statefulset" if persistent(snapshot) else "deployment", relay, **_workload(snapshot))


def _shared(snapshot: Snapshot) -> dict[str, Any]:
    """Values that more than one template asks for."""
    metadata = snapshot.relay.metadata
    owner = {"api_version": API_VERSION, "kind": "SmtpRelay", "name": metadata.name, "uid": metadata.uid}
    return {
        "namespace": metadata.namespace,
        "labels": naming.relay_labels(metadata.name),
        "selector": {naming.RELAY: metadata.name},
        "owner": owner,
        "ports": ports(snapshot),
        **access(snapshot),
    }


def _secret(shared: dict[str, Any], plan: Plan) -> Manifest:
    data = {key: base64.b64encode(value).decode("ascii") for key, value in plan.secret.items()}
    manifest = render("secret", {**shared, "name": naming.configuration(plan.name), "data": data})
    return marked_secret(manifest, plan.secret[SECRET_REVISION].decode(), plan.secret)


def _service(snapshot: Snapshot) -> dict[str, Any]:
    service = snapshot.relay.spec.service
    policy = service.external_traffic_policy.value if service.exposed else ""
    return {"type": service.type.value, "external_traffic_policy": policy}


def _workload(snapshot: Snapshot) -> dict[str, Any]:
    relay, storage = snapshot.relay.metadata.name, snapshot.relay.spec.queue.storage
    return {
        "replicas": replicas(snapshot),
        "persistent": persistent(snapshot),
        "configuration": naming.configuration(relay),
        "pods_service": naming.pods_service(relay),
        "file": CONFIG_FILE,
        "tables": [
            {"name": naming.alias_table(relay, number), "file": file} for number, file in enumerate(ALIAS_TABLE_FILES)
        ],
        "storage": {
            "size": format_quantity(storage.size),
            "class_name": storage.storage_class_name,
            "when_deleted": storage.when_deleted.value,
        },
        "pod": pod(snapshot),
    }
