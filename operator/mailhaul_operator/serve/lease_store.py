"""The Lease object in the API server, with its resourceVersion as the lock: `lease.LeaseStore` on `effects.api`.

It has an `Api` of its own, so that no crowd of other requests delays a renewal. Failures: StoreError.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mailhaul_operator.effects.api import Api
from mailhaul_operator.serve.lease import Record, StoreError, Terms
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.refused import Refusal, Refused

LEASE = KINDS["Lease"]
_NOT_NOW = frozenset({Refusal.CONFLICT, Refusal.ALREADY_EXISTS})


@dataclass(frozen=True, slots=True)
class ApiLeaseStore:
    """The Lease of that namespace and name."""

    api: Api
    namespace: str
    name: str
    terms: Terms = field(default_factory=Terms)

    async def read(self) -> Record:
        """Give the Lease; an empty Record when there is none."""
        found = await self.api.get(LEASE, self.namespace, self.name)
        if isinstance(found, Refused):
            if found.kind is Refusal.NOT_FOUND:
                return Record()
            raise StoreError(found.message)
        return _record(found)

    async def write(self, holder: str, after: Record) -> Record | None:
        """Write holder and time; None when somebody else wrote first."""
        body = self._body(holder, after)
        written = await self._write(body, after)
        if isinstance(written, Refused):
            if written.kind in _NOT_NOW:
                return None
            raise StoreError(written.message)
        return _record(written)

    async def _write(self, body: Body, after: Record) -> Body | Refused:
        if not after.version:
            return await self.api.create(body)
        return await self.api.patch(LEASE, (self.namespace, self.name), body)

    def _body(self, holder: str, after: Record) -> Body:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        changes = bool(holder) and holder != after.holder
        spec: Body = {
            "holderIdentity": holder,
            "leaseDurationSeconds": round(self.terms.duration) if holder else 1,
            "renewTime": now,
            "leaseTransitions": after.transitions + changes,
            **({"acquireTime": now} if changes else {}),
        }
        version = {"resourceVersion": after.version} if after.version else {}
        metadata = {"namespace": self.namespace, "name": self.name, **version}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}


def _record(body: Mapping[str, Any]) -> Record:
    spec = body.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
        version=body["metadata"]["resourceVersion"],
    )
