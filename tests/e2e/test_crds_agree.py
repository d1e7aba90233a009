"""The models and the API server give the same verdict on values at and beyond every edge, not only on chosen faults.

All cases go to the API server in one dry run. Null counts as absent on both sides.
"""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.cluster import Cluster

from mailhaul_operator.manifests.kinds import OWN

pytestmark = pytest.mark.e2e

LABEL = "a" * 63
TEXTS = ["", "a", "A", "-a", "a-", "a.b", "a_b", "a b", "a\n", "é", LABEL, LABEL + "a", 5, 1.5, True, None, [], {}]
DOMAINS = [
    *TEXTS, "A.B", "münchen.example", "日本.example", "xn--a", "a..b", ".a", "a.", "127.0.0.1", "[127.0.0.1]", "::1",
    ".".join([LABEL] * 3), ".".join([LABEL] * 4), "*.a", "a/b", "a:25", "-.a", "a.-",
]  # fmt: skip
ADDRESSES = [
    *TEXTS, "a@b", "A@B.c", "a@", "@b", "a@b@c", "a.b@c.d", ".a@b", "a.@b", "a..b@c", '"a b"@c', '"a"b"@c', '"a\\"b"@c',
    '"\t"@c', "ä@ö.example", "a@[127.0.0.1]", "a@[IPv6:::1]", "a(b)@c", "a@b.", "a+b@c", "*@b", "a*@b", "a@*.b", '""@b',
    f"{'a' * 64}@b", f"{'a' * 65}@b", f"{'a' * 250}@b.c", f"{'a' * 251}@b.c", "a\x00@b", "<a@b>", "a@b\r\nX", "a'b@c",
]  # fmt: skip
NUMBERS = [-1, 0, 1, 2, 100, 65_535, 65_536, 10_000, 10_001, 1_000_000, 1_000_001, 2**31, 2**40,
           "1", 1.5, True, None, []]  # fmt: skip
DURATIONS = ["", "0s", "1s", "9s", "10s", "59s", "1m", "60m", "1h", "1h1m1s", "24h", "25h", "168h",
             "169h", "720h", "721h",
             "1d", "1.5h", "5", 5, "-1s", "1s1m", "99999h", "100000h", "100ms", None, True, []]  # fmt: skip
SIZES = ["", "0", "1", "1023", "1024", 1024, 1023, "1Ki", "1k", "25Mi", "1Gi", "1073741825", 2**30, 2**30 + 1,
         "2G", "1.5Mi",
         "1e6", "25MB", "-1", -1, 1.5, True, None, [], "1Ti", "9999999999999", "01Ki"]  # fmt: skip
NETWORKS = ["", "10.0.0.0/8", "10.0.0.0/7", "10.0.0.1/8", "10.0.0.1/32", "10.0.0.1", "10.0.0.0/08", "010.0.0.0/8",
            "::/0",
            "fc00::/7", "FC00::/7", "fd00::/8", "fe80::%eth0/64", "::ffff:10.0.0.0/104", "0:0:0:0:0:0:0:1/128",
            "::1/128",
            "10.0.0.0/255.0.0.0", "10.0.0/24", "10.0.0.0/33", "::/129", " 10.0.0.0/8", "0.0.0.0/0",
            5, None]  # fmt: skip

RELAY = {
    "upstreams": [{"providerRef": {"name": "one"}}],
    "listeners": [{"name": "smtp", "port": 25}],
    "aliases": {"domains": [{"name": "example.com"}]},
}
PROVIDER = {
    "type": "smtp",
    "host": "smtp.example.com",
    "tls": {"caRef": {"name": "ca"}},
    "auth": {"secretRef": {"name": "account"}},
    "senders": {"domains": ["example.com"]},
}
ALIAS = {
    "relayRef": {"name": "relay"},
    "addresses": [{"value": "a@example.com"}],
    "destinations": [{"name": "a", "mailbox": {"address": "a@example.net"}}],
}
SPECS = {"SmtpRelay": RELAY, "UpstreamProvider": PROVIDER, "MailAlias": ALIAS}
FIELDS: list[tuple[str, str, list[Any]]] = [
    ("SmtpRelay", "replicas", NUMBERS),
    ("SmtpRelay", "hostname", DOMAINS),
    ("SmtpRelay", "postmaster", ADDRESSES),
    ("SmtpRelay", "listeners/0/name", TEXTS),
    ("SmtpRelay", "listeners/0/port", [*NUMBERS, 25, 465, 587, 1023, 1024, 2525, 8080, 9090]),
    ("SmtpRelay", "listeners/0/tls", [*TEXTS, {"mode": "None"}, {"mode": "StartTLS"}]),
    ("SmtpRelay", "clients/allowedNetworks/0", NETWORKS),
    ("SmtpRelay", "clients/allowedNetworks", [[], None, "10.0.0.0/8", {}]),
    ("SmtpRelay", "senders/domains/0", DOMAINS),
    ("SmtpRelay", "upstreams/0/name", TEXTS),
    ("SmtpRelay", "upstreams/0/providerRef/name", TEXTS),
    ("SmtpRelay", "upstreams/0/priority", NUMBERS),
    ("SmtpRelay", "queue/retry/initial", DURATIONS),
    ("SmtpRelay", "queue/retry/max", DURATIONS),
    ("SmtpRelay", "queue/expireAfter", DURATIONS),
    ("SmtpRelay", "queue/highWatermark/messages", NUMBERS),
    ("SmtpRelay", "limits/messageSize", SIZES),
    ("SmtpRelay", "limits/connections", NUMBERS),
    ("SmtpRelay", "limits/messagesPerMinutePerClient", NUMBERS),
    ("SmtpRelay", "limits/sessionTime", DURATIONS),
    ("SmtpRelay", "aliases/domains/0/name", DOMAINS),
    ("SmtpRelay", "aliases/domains/0/namespaces", [{}, None, {"from": "All"}, {"from": "Selector"}, {"selector": {}}]),
    ("SmtpRelay", "logging/redactAddresses", TEXTS),
    ("UpstreamProvider", "type", [*TEXTS, "ses", "smtp", "capture", "SMTP"]),
    ("UpstreamProvider", "host", DOMAINS),
    ("UpstreamProvider", "port", NUMBERS),
    ("UpstreamProvider", "tls/serverName", DOMAINS),
    ("UpstreamProvider", "tls/caRef/name", TEXTS),
    ("UpstreamProvider", "tls/caRef/key", TEXTS),
    ("UpstreamProvider", "auth", [{}, None, {"mechanism": "None"}, {"mechanism": "Auto"}]),
    ("UpstreamProvider", "auth/secretRef/name", TEXTS),
    ("UpstreamProvider", "auth/secretRef/usernameKey", TEXTS),
    ("UpstreamProvider", "rateLimit", [{}, None, {"messages": 1}, {"per": "1s"}]),
    ("UpstreamProvider", "connections/max", NUMBERS),
    ("UpstreamProvider", "connections/idleTimeout", DURATIONS),
    ("UpstreamProvider", "senders/domains/0", DOMAINS),
    ("UpstreamProvider", "senders/rewriteFrom", ADDRESSES),
    ("UpstreamProvider", "behavior/maxMessageSize", SIZES),
    ("UpstreamProvider", "behavior/maxRecipients", NUMBERS),
    ("MailAlias", "relayRef/name", TEXTS),
    ("MailAlias", "relayRef/namespace", TEXTS),
    *(("MailAlias", f"addresses/0/{kind}", ADDRESSES) for kind in ("Exact", "SubAddress", "Wildcard", "CatchAll")),
    ("MailAlias", "destinations/0/name", TEXTS),
    ("MailAlias", "destinations/0/mailbox/address", ADDRESSES),
]


def test_both_sides_say_the_same_of_every_edge(cluster: Cluster, namespace: str) -> None:
    cases = {f"case-{number}": case for number, case in enumerate(_cases())}
    documents = {name: _document(name, *case) for name, case in cases.items()}
    served = _served(cluster, namespace, list(documents.values()))
    told = {name for name, document in documents.items() if _accepted(document)}
    only_server = [cases[name] for name in cases if name in served - told]
    only_models = [cases[name] for name in cases if name in told - served]
    assert not only_models, "refused by the API server alone"
    assert not only_server, "refused by the models alone"


def _cases() -> list[tuple[str, str, Any]]:
    return [(kind, path, value) for kind, path, values in FIELDS for value in values]


def _document(name: str, kind: str, path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    spec = json.loads(json.dumps(SPECS[kind]))
    if path.startswith("addresses/0/"):
        spec["addresses"] = [{"type": path.rpartition("/")[2], "value": value}]
    else:
        _put(spec, path.split("/"), value)
    head = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": kind, "metadata": {"name": name}}
    return {**head, "spec": spec}


def _put(place: Any, steps: list[str], value: Any) -> None:  # noqa: ANN401 - any JSON value
    step, *rest = steps
    if isinstance(place, list) and not rest:
        place[:] = [value]
    elif isinstance(place, list):
        _put(place[0], rest, value)
    elif rest:
        _put(place.setdefault(step, [] if rest[0] == "0" else {}), rest, value)
    else:
        place[step] = value


def _served(cluster: Cluster, namespace: str, documents: list[dict[str, Any]]) -> set[str]:
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    arguments = ("create", "--dry-run=server", "--validate=ignore", "-n", namespace, "-o", "name", "-f", "-")
    answer = cluster.kubectl(*arguments, stdin=everything)
    return {line.rpartition("/")[2] for line in answer.out.splitlines()}


def _accepted(document: dict[str, Any]) -> bool:
    try:
        OWN[document["kind"]].from_json(document)
    except ValidationError:
        return False
    return True
