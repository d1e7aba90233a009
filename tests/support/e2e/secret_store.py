"""A store of secrets for External Secrets whose entries a test sets: its `fake` provider, in a SecretStore."""

import json
from dataclasses import dataclass
from typing import Any

from tests.support.e2e.stage import Stage

KEY = "mailtrap"


@dataclass(frozen=True)
class Store:
    """A store `name` with one entry, `mailtrap`. A ClusterSecretStore is of the whole cluster."""

    stage: Stage
    name: str = "store"
    kind: str = "SecretStore"

    def holds(self, **properties: str) -> None:
        """Put properties into the entry, in place of those of before; with none the entry is gone."""
        entry = [{"key": KEY, "value": json.dumps(properties)}] if properties else [{"key": "other", "value": "{}"}]
        self.stage.apply(
            {
                "apiVersion": "external-secrets.io/v1",
                "kind": self.kind,
                "metadata": {"name": self.name},
                "spec": {"provider": {"fake": {"data": entry}}},
            }
        )

    def auth(self, *keys: str, refresh: str = "5s") -> dict[str, Any]:
        """`spec.auth` of a provider whose credential lies here."""
        data = [{"secretKey": one, "remoteRef": {"key": KEY, "property": one}} for one in keys]
        reference = {"kind": self.kind, "name": self.name}
        return {"externalSecret": {"secretStoreRef": reference, "refreshInterval": refresh, "data": data}}
