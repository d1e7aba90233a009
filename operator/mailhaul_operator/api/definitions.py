"""How each kind appears in a cluster: its names, columns, subresources and selectable fields.

The columns answer one question: does mail leave, and if not, why.
"""

from dataclasses import dataclass
from typing import Any

from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; a `wide` one is shown with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give the form of a CustomResourceDefinition."""
        column: dict[str, Any] = {"name": self.name, "type": self.type, "description": self.description}
        return {**column, "jsonPath": self.path, **({"priority": 1} if self.wide else {})}


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind. `short` are its short names, as people say them: one and several."""

    model: type[Part]
    plural: str
    singular: str
    short: tuple[str, str]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    scales: bool = False

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.model.__name__


def _condition(kind: str, member: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{member}'


_READY = Column("Ready", _condition("Ready", "status"), "Whether mail leaves.")
_REASON = Column("Reason", _condition("Ready", "reason"), "Why, in one word.")
_MESSAGE = Column("Message", _condition("Ready", "message"), "Why, and what to do.")
_AGE = Column("Age", ".metadata.creationTimestamp", "Time since it was created.", "date")

DEFINITIONS = (
    Definition(
        SmtpRelay,
        "smtprelays",
        "smtprelay",
        ("relay", "relays"),
        (
            _READY,
            _REASON,
            Column("Upstream", ".status.upstream", "The upstream that mail goes to now."),
            Column("Queued", ".status.queue.waiting", "Messages that have not left yet.", "integer"),
            Column("Delivered", ".status.delivered.total", "Messages that providers accepted.", "integer"),
            Column("Replicas", ".status.readyReplicas", "Replicas that accept mail.", "integer", wide=True),
            Column("Held", ".status.queue.held", "Messages held by a fault of every upstream.", "integer", wide=True),
            Column("Dead", ".status.queue.dead", "Messages that failed for good.", "integer", wide=True),
            Column(
                "Last Delivery", ".status.lastDelivery.time", "When a provider last accepted mail.", "date", wide=True
            ),
            Column("Address", ".status.address", "Host and port that apps send to.", wide=True),
            _AGE,
            _MESSAGE,
        ),
        scales=True,
    ),
    Definition(
        UpstreamProvider,
        "upstreamproviders",
        "upstreamprovider",
        ("upstream", "upstreams"),
        (
            _READY,
            _REASON,
            Column("Type", ".spec.type", "The provider's profile."),
            Column("Endpoint", ".status.endpoint", "Host and port in use."),
            Column(
                "Breaker", ".status.breaker", "Closed lets mail through, Open none, HalfOpen one message as a trial."
            ),
            Column("Last Probe", ".status.lastProbe.time", "When it was last probed.", "date", wide=True),
            _AGE,
            _MESSAGE,
        ),
        selectable=(".spec.type",),
    ),
    Definition(
        MailAlias,
        "mailaliases",
        "mailalias",
        ("alias", "aliases"),
        (
            _READY,
            _REASON,
            Column("Relay", ".spec.relayRef.name", "The relay that takes its mail."),
            Column("Address", ".spec.addresses[0].value", "The first address."),
            Column("Forwarded", ".status.forwarded.total", "Copies that an upstream took.", "integer"),
            Column("Destination", ".spec.destinations[0].mailbox.address", "The first destination.", wide=True),
            Column("Failed", ".status.failed.total", "Copies that failed for good.", "integer", wide=True),
            _AGE,
            _MESSAGE,
        ),
        selectable=(".spec.relayRef.name", ".spec.relayRef.namespace"),
    ),
)
