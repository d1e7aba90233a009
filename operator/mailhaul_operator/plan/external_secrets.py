"""The ExternalSecret of a provider: asks External Secrets for the Secret that `credentials` then reads.

Called by the reconciler for each provider. Absence of External Secrets is told by the plan of the relays. Pure.
"""

from typing import Any

from mailhaul_contract.names import API_VERSION
from mailhaul_operator.api.external_secret import ExternalSecretData
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan import naming
from mailhaul_operator.plan.marking import marked
from mailhaul_operator.plan.snapshot import Facts, Manifest
from mailhaul_operator.plan.templates import render

GROUP = "external-secrets.io"


def external_secret(provider: UpstreamProvider, facts: Facts) -> Manifest | None:
    """Give the ExternalSecret; None when the provider has none, or the cluster does not serve the kind."""
    wanted = provider.spec.auth.external_secret
    if wanted is None or not facts.external_secrets:
        return None
    metadata, store = provider.metadata, wanted.secret_store_ref
    owner = {"api_version": API_VERSION, "kind": "UpstreamProvider", "name": metadata.name, "uid": metadata.uid}
    return marked(
        render(
            "externalsecret",
            {
                "api_version": f"{GROUP}/{facts.external_secrets}",
                "name": naming.external_secret(metadata.name),
                "namespace": metadata.namespace,
                "labels": naming.provider_labels(metadata.name),
                "owner": owner,
                "store": {"kind": store.kind.value, "name": store.name},
                "refresh_interval": _go_duration(wanted.refresh_interval),
                "data": [_item(one) for one in sorted(wanted.data, key=lambda one: one.secret_key)],
            },
        )
    )


def _item(item: ExternalSecretData) -> dict[str, Any]:
    remote = {"key": item.remote_ref.key}
    if item.remote_ref.property:
        remote["property"] = item.remote_ref.property
    return {"secretKey": item.secret_key.value, "remoteRef": remote}


def _go_duration(seconds: int) -> str:
    """The form in which a program in Go writes a duration, so that nothing differs after one did (`1h0m0s`)."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
