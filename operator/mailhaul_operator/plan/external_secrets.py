"""The ExternalSecret of a provider: asks External Secrets for the Secret that `credentials` then reads.

Called by the reconciler for each provider. Absence of External Secrets is told by the plan of the relays. Pure.
"""

from mailhaul_contract.names import API_VERSION
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
    metadata = provider.metadata
    return marked(
        render(
            "externalsecret",
            {
                "api_version": f"{GROUP}/{facts.external_secrets}",
                "name": naming.external_secret(metadata.name),
                "namespace": metadata.namespace,
                "labels": naming.provider_labels(metadata.name),
                "owner": {
                    "api_version": API_VERSION,
                    "kind": "UpstreamProvider",
                    "name": metadata.name,
                    "uid": metadata.uid,
                },
                "store": wanted.secret_store_ref.to_json(),
                "refresh_interval": "",
                "data": [one.to_json() for one in wanted.data],
            },
        )
    )
