"""`mailhaul status` of a cluster says in a screen whether mail leaves, and if not, why and what to do."""

from typing import Any

from mailhaul_operator.cluster.inventory import Owned
from mailhaul_operator.cluster.status import as_json, is_ready, screen

WRONG = "upstream main (mail.example:587) refused the login: 535 5.7.8 authentication failed; correct Secret smtp/main"


def _condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def _resource(kind: str, name: str, spec: dict[str, Any], *conditions: dict[str, Any], **told: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a status
    status = {"observedGeneration": 2, "conditions": list(conditions), **told} if conditions else {}
    return {
        "kind": kind,
        "metadata": {"namespace": "smtp", "name": name, "generation": 2},
        "spec": spec,
        "status": status,
    }


RELAY_SPEC = {"upstreams": [{"providerRef": {"name": "main"}}]}
PROVIDER = _resource(
    "UpstreamProvider",
    "main",
    {"type": "smtp"},
    _condition("Ready", "False", "CredentialRefused", WRONG),
    endpoint="mail.example:587",
)


def test_a_relay_that_does_not_deliver_is_told_first_with_cause_and_remedy() -> None:
    relay = _resource(
        "SmtpRelay",
        "relay",
        RELAY_SPEC,
        _condition("Ready", "False", "CredentialRefused", WRONG),
        _condition("Delivering", "False", "CredentialRefused", WRONG),
        _condition("QueueDurable", "False", "Ephemeral", "mail is lost with its pod; set spec.queue.mode Persistent"),
        queue={"held": 3, "oldestTime": "2026-11-21T10:00:00Z"},
        replicas=1,
        readyReplicas=1,
    )
    lines = screen(Owned(relay, (PROVIDER,), ())).splitlines()
    assert lines[:2] == [
        f"smtp/relay: NOT READY, CredentialRefused: {WRONG}",
        "  ! QueueDurable Ephemeral: mail is lost with its pod; set spec.queue.mode Persistent",
    ]
    assert "  queue: 0 queued, 0 deferred, 3 held, 0 dead, oldest from 2026-11-21T10:00:00Z" in lines
    assert any(line.startswith("  provider main (smtp, mail.example:587): NOT READY") for line in lines)


def test_a_status_of_an_older_generation_is_not_believed() -> None:
    relay = _resource("SmtpRelay", "relay", RELAY_SPEC, _condition("Ready", "True", "MailLeaves", "mail leaves"))
    assert is_ready(relay)
    relay["metadata"]["generation"] = 3
    assert not is_ready(relay)
    assert "older generation" in screen(Owned(relay, (), ()))


def test_a_relay_that_nobody_looked_at_asks_for_the_operator() -> None:
    relay = _resource("SmtpRelay", "relay", RELAY_SPEC)
    assert screen(Owned(relay, (), ())).startswith("smtp/relay: not looked at yet; is the operator running?")
    assert as_json(Owned(relay, (), ()))["ready"] is False


def test_of_very_many_aliases_those_that_are_not_ready_are_told_and_the_others_counted() -> None:
    relay = _resource("SmtpRelay", "relay", RELAY_SPEC)
    ready, not_ready = (_condition("Ready", word, "Forwarding", "words") for word in ("True", "False"))
    wrong = {7, 4000}
    aliases = tuple(_resource("MailAlias", f"a{n}", {}, not_ready if n in wrong else ready) for n in range(5000))
    lines = [line for line in screen(Owned(relay, (), aliases)).splitlines() if "alias" in line]
    assert [line.split()[1] for line in lines[:2]] == ["smtp/a7:", "smtp/a4000:"]
    assert lines[2:] == ["  and 4998 more aliases, 4998 of all 5000 are ready: kubectl get mailaliases -A"]
    few = screen(Owned(relay, (), aliases[:20])).splitlines()
    assert len([line for line in few if "alias smtp/" in line]) == 20


def test_words_of_others_do_not_steer_the_terminal() -> None:
    relay = _resource("SmtpRelay", "relay", RELAY_SPEC, _condition("Ready", "False", "Refused", "\x1b[2Jgone\rx"))
    assert "\x1b" not in screen(Owned(relay, (), ()))
    assert "\r" not in screen(Owned(relay, (), ()))


def test_what_is_only_there_while_true_is_told_as_bad() -> None:
    words = "connections to relay-0 came from a node"
    ready = _condition("Ready", "True", "MailLeaves", "mail leaves through main; also Ephemeral: x")
    lost = _condition("ClientIdentityLost", "True", "ClientIdentityLost", words)
    lines = screen(Owned(_resource("SmtpRelay", "relay", RELAY_SPEC, ready, lost), (), ())).splitlines()
    assert f"  ! ClientIdentityLost ClientIdentityLost: {words}" in lines
