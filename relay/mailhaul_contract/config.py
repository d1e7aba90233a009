"""`RelayConfig`: everything that a relay process needs to know, and no secret.

The operator's `plan` produces it, the relay interprets it; both import it from here. Files of this form are named
`relay.v1.json`. Durations are whole seconds, sizes are bytes, names are in normal form. Writers leave defaults out
(`Frozen.to_json`), so a field that is new and unused does not trouble an older relay; readers refuse unknown fields.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mailhaul_contract.base import Domain, Frozen, Mailbox, Name
from mailhaul_contract.forwarding import Aliases
from mailhaul_contract.listening import Clients, Limits, Listener
from mailhaul_contract.routes import Route
from mailhaul_contract.senders import Delivery, Senders
from mailhaul_contract.suppression import Suppression
from mailhaul_contract.upstream import Upstream

CONTRACT_VERSION = 1


class RelayName(Frozen):
    """The SmtpRelay that this configuration was planned from."""

    namespace: Name
    name: Name


class Retry(Frozen):
    """Exponential back-off between attempts, in seconds, before jitter."""

    initial: Annotated[int, Field(ge=1, le=86_400)] = 60
    max: Annotated[int, Field(ge=1, le=604_800)] = 3600


class DeadLetters(Frozen):
    """How long mail that failed for good is kept, in seconds."""

    keep_for: Annotated[int, Field(ge=60, le=31_536_000)] = 2_592_000


class Queue(Frozen):
    """How long mail is tried (`expire_after`, from acceptance) and how much may wait (`high_watermark`, messages)."""

    retry: Retry = Retry()
    expire_after: Annotated[int, Field(ge=60, le=2_592_000)] = 432_000
    high_watermark: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    dead_letters: DeadLetters = DeadLetters()


class BounceMode(StrEnum):
    """What happens to mail that failed for good: kept as a dead letter, or also reported by RFC 3464 mail."""

    RECORD = "Record"
    SEND = "Send"


class Bounces(Frozen):
    """`to` receives the reports in place of the envelope sender when it is set."""

    mode: BounceMode = BounceMode.RECORD
    to: Mailbox | None = None


class Logging(Frozen):
    """`redact_addresses` leaves only the domain of each address in the log."""

    redact_addresses: bool = False


class RelayConfig(Frozen):
    """The whole configuration of one relay. `secret_revision` names the secrets that it was planned with."""

    contract_version: Literal[1]
    relay: RelayName
    hostname: Domain
    postmaster: Mailbox | None = None
    secret_revision: Annotated[str, Field(max_length=64)] = ""
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1, max_length=16)]
    clients: Clients = Clients()
    senders: Senders = Senders()
    delivery: Delivery = Delivery()
    upstreams: Annotated[tuple[Upstream, ...], Field(max_length=16)] = ()
    routes: Annotated[tuple[Route, ...], Field(max_length=32)] = ()
    queue: Queue = Queue()
    bounces: Bounces = Bounces()
    suppression: Suppression | None = None
    limits: Limits = Limits()
    aliases: Aliases = Aliases()
    logging: Logging = Logging()

    @model_validator(mode="after")
    def _handles_are_unique(self) -> "RelayConfig":
        for what, names in (
            ("listeners", [one.name for one in self.listeners]),
            ("listeners' ports", [str(one.port) for one in self.listeners]),
            ("upstreams", [one.name for one in self.upstreams]),
            ("upstreams' providers", [one.provider for one in self.upstreams]),
            ("routes", [one.name for one in self.routes]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what} repeat a name or port; each may appear once")
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> "RelayConfig":
        known = {one.name for one in self.upstreams}
        for route in self.routes:
            unknown = sorted(set(route.upstreams or ()) - known)
            if unknown:
                raise ValueError(f"route {route.name} names {unknown[0]}, which is no upstream of this relay")
        return self
