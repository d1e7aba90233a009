"""Secrets that a cluster would get from a store: stand-ins, so that `validate` and `render` see what will be there.

`planning.preview` adds them. Their values are never printed; what cannot be known here, whether the store has the keys,
is told by the provider's status in the cluster.
"""

from dataclasses import replace

from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.naming import external_secret


def with_stores(resources: Resources) -> Resources:
    """Give the resources with a Secret for each provider whose credential a store has, where none was given."""
    made = [_stand_in(one) for one in resources.providers if one.spec.auth.external_secret]
    missing = [one for one in made if resources.secret(*one.metadata.key) is None]
    return replace(resources, secrets=(*resources.secrets, *missing))


def _stand_in(provider: UpstreamProvider) -> Secret:
    source = provider.spec.auth.external_secret
    keys = [one.secret_key for one in source.data] if source else []
    namespace, name = provider.metadata.key
    return Secret.model_validate(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": external_secret(name)},
            "stringData": dict.fromkeys(keys, "from-the-store"),
        }
    )
