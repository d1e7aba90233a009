"""Objects as the API server gives them, for tests of what is read from them; and a server that is a dictionary."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.objects import labels
from mailhaul_operator.wire.refused import Refusal, Refused

NAMESPACE = "smtp"


def resource(kind: str, name: str, spec: Mapping[str, Any], version: int = 1, **metadata: Any) -> Body:  # noqa: ANN401
    """Give a resource of ours; its uid is made of its kind and name."""
    head = {"name": name, "namespace": NAMESPACE, "uid": f"{kind}-{name}", "generation": 1}
    known = {**head, "resourceVersion": str(version), **metadata}
    return {"apiVersion": "mailhaul.dev/v1alpha1", "kind": kind, "metadata": known, "spec": dict(spec)}


def relay(name: str, *providers: str, version: int = 1, spec: Mapping[str, Any] | None = None) -> Body:
    """Give a relay that sends through these providers."""
    upstreams = [{"providerRef": {"name": one}} for one in providers]
    return resource("SmtpRelay", name, {"upstreams": upstreams, **(spec or {})}, version)


def provider(name: str, secret: str, version: int = 1) -> Body:
    """Give a provider with a credential."""
    return resource("UpstreamProvider", name, {"type": "mailtrap", "auth": {"secretRef": {"name": secret}}}, version)


def alias(name: str, relay: str, version: int = 1, namespace: str = NAMESPACE) -> Body:
    """Give an alias of a relay in the namespace `smtp`."""
    spec = {
        "relayRef": {"name": relay, "namespace": NAMESPACE},
        "addresses": [{"value": f"{name}@example.com"}],
        "destinations": [{"name": "a", "mailbox": {"address": "a@example.net"}}],
    }
    return resource("MailAlias", name, spec, version, namespace=namespace)


def made(kind: str, name: str, relay: str, version: int = 1, **more: Any) -> Body:  # noqa: ANN401 - members of an object
    """Give an object that was made for a relay."""
    labels = {"app.kubernetes.io/managed-by": "mailhaul", "mailhaul.dev/relay": relay}
    reference = {"kind": "SmtpRelay", "name": relay, "uid": f"SmtpRelay-{relay}", "controller": True}
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"{kind}-{name}",
        "resourceVersion": str(version),
        "labels": labels,
        "ownerReferences": [reference],
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


def secret(name: str, version: int = 1, **data: str) -> Body:
    """Give a Secret; the values are base64 already."""
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"Secret-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


class FakeServer:
    """Answers reads from `objects`; `failure` answers all of them while it is set. `reads` counts them by
    kind; the names in `forbidden` may not be read."""

    def __init__(self, *objects: Body) -> None:
        """Begin with these objects."""
        self.objects = {self._key(one): one for one in objects}
        self.failure: Refused | None = None
        self.forbidden: set[str] = set()
        self.reads: Counter[str] = Counter()

    def put(self, body: Body) -> None:
        """Let an object be as it is given."""
        self.objects[self._key(body)] = body

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | Refused:
        """Read one object."""
        self.reads[kind.kind] += 1
        missing = Refused(Refusal.NOT_FOUND, f"{kind.plural} {name} not found")
        if name in self.forbidden:
            return Refused(Refusal.FORBIDDEN, f"{kind.plural} {name} is forbidden")
        return self.failure or self.objects.get((kind.kind, namespace, name)) or missing

    async def list_all(self, kind: Kind, namespace: str = "", selector: str = "") -> tuple[Body, ...] | Refused:
        """Read all of a kind that carry the one label of the selector."""
        self.reads[kind.kind] += 1
        label, _, value = selector.partition("=")
        found = (body for key, body in self.objects.items() if key[0] == kind.kind and namespace in {"", key[1]})
        return self.failure or tuple(one for one in found if not label or labels(one).get(label) == value)

    async def pages(
        self, kind: Kind, namespace: str = "", selector: str = ""
    ) -> AsyncIterator[tuple[Body, ...] | Refused]:
        """Read the same, an object a page."""
        found = await self.list_all(kind, namespace, selector)
        for page in (found,) if isinstance(found, Refused) else ((one,) for one in found):
            yield page

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        """Take an object as it is given."""
        return dict(body)

    async def apply_absent(self, body: Mapping[str, Any]) -> Body | Refused:
        """Apply an object that is not there yet."""
        there = self._key(dict(body)) in self.objects
        return Refused(Refusal.CONFLICT, "the object has been modified") if there else await self.apply(body)

    @staticmethod
    def _key(body: Body) -> tuple[str, str, str]:
        return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]
