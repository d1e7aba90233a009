"""The key of a resource: what edges enqueue and a pass is about. Pure."""

from typing import NamedTuple


class Key(NamedTuple):
    """A resource by kind (`SmtpRelay`, `UpstreamProvider`, `MailAlias`), namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"
