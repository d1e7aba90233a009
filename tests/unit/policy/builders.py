"""Small configurations and messages for the policy tests, as a reader of the YAML would write them."""

from typing import Any

from mailhaul_contract.addresses import Address
from mailhaul_contract.config import RelayConfig
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.admission import Admitted, Incoming, admit_message
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.policy.source import Source

NOW = 1_700_000_000.0
TRUSTED = Source("10.1.2.3", trusted=True)
STRANGER = Source("203.0.113.9", trusted=False)
SECRETS = Secrets(srs=(b"first secret", b"second secret"))


def config(**changes: object) -> RelayConfig:
    """A relay with one upstream and no aliases; `changes` are top-level fields in camelCase."""
    document: dict[str, Any] = {
        "contractVersion": 1,
        "relay": {"namespace": "smtp", "name": "relay"},
        "hostname": "relay.own.example",
        "listeners": [{"name": "smtp", "port": 2525}],
        "clients": {"allowedNetworks": ["10.0.0.0/8"]},
        "upstreams": [upstream("primary")],
    }
    return RelayConfig.from_json({**document, **changes})


def upstream(name: str, **changes: object) -> dict[str, Any]:
    """An upstream's JSON."""
    return {"name": name, "provider": f"{name}-provider", "host": f"{name}.example", **changes}


def alias(value: str, *destinations: str, type: str = "Exact", name: str = "") -> dict[str, Any]:  # noqa: A002
    """An alias entry's JSON."""
    told = name or "alias"
    return {"namespace": "shop", "name": told, "type": type, "value": value, "destinations": list(destinations)}


def aliases(*entries: dict[str, Any], srs: bool = False, **changes: object) -> dict[str, Any]:
    """The aliases section, with own.example as own domain."""
    section: dict[str, Any] = {"domains": ["own.example"], "entries": list(entries), **changes}
    return {**section, "srs": {"domain": "own.example"}} if srs else section


def running(**changes: object) -> Running:
    """A compiled configuration."""
    compiled = compile_running(config(**changes), SECRETS, "sha256:test")
    assert isinstance(compiled, Running), compiled
    return compiled


def incoming(head: str | bytes, *recipients: Recipient, sender: str = "app@own.example", **changes: object) -> Incoming:
    """A message that came in; `head` may be written with line feeds."""
    wire = head if isinstance(head, bytes) else head.encode().replace(b"\n", b"\r\n") + b"\r\n"
    values: dict[str, Any] = {
        "id": "id1",
        "sender": Address.parse(sender) if sender else None,
        "recipients": recipients or (Recipient("you@far.example", "you@far.example"),),
        "head": wire,
        "body_size": 100,
        "eight_bit": False,
        "declared_utf8": False,
        "client": "10.1.2.3",
        "helo": "app.shop.svc",
        "protocol": "ESMTP",
        "now": NOW,
        **changes,
    }
    return Incoming(**values)


def admitted(relay: Running, source: Source, message: Incoming) -> Admitted:
    """The admitted message; fails on a refusal."""
    result = admit_message(relay, source, message)
    assert isinstance(result, Admitted), result
    return result


def refusal(relay: Running, source: Source, message: Incoming) -> Reply:
    """The refusal; fails when it was admitted."""
    result = admit_message(relay, source, message)
    assert isinstance(result, Reply), result
    return result


def spooled(
    head: str,
    *recipients: Recipient,
    sender: str = "app@own.example",
    origin: Origin = Origin.SUBMISSION,
    from_domain: str = "own.example",
) -> Message:
    """A message as it lies in the spool; `head` may be written with line feeds."""
    wire = head.encode().replace(b"\n", b"\r\n") + b"\r\n"
    to = recipients or (Recipient("you@far.example", "you@far.example"),)
    envelope = Envelope("id1", sender, to, from_domain, origin, NOW, len(wire) + 4)
    return Message(envelope, wire, Body(4, b"hi\r\n"))


def first_upstream(relay: Running) -> Upstream:
    """The preferred upstream."""
    return relay.candidates[0]
