"""Values at and beyond every edge of the three kinds' fields: what the models and the API server are both asked about.

`FIELDS` has the resource to start from (a key of `SPECS`), the path of the field and its values.
"""

from typing import Any

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
            "203.0.0.0/15", "203.0.0.0/16", "2001:db8::/31", "2001:db8::/32", "fe00::/7", "172.0.0.0/11",
            "172.16.0.0/12", "127.0.0.0/8", "11.0.0.0/8", 5, None]  # fmt: skip
CORES = ["", "0", "1", 1, 0, "1m", "0m", "0.5", "0.001", "0.0001", ".5", "1.", "1.5", 1.5, "256", 256, "257", 257,
         "256000m", "256001m", "1k", "1e3", "-1", "01", True, None, [], {}]  # fmt: skip
KEYS = ["a", "A.b_c-d", "a/b", "example.com/a", "a.b/c", "", "/", "a/", "/a", "a/b/c", "a b", "-a", "a-", "A/b", "é",
        LABEL, LABEL + "a", f"{'a' * 253}/b", f"{'a' * 254}/b", "mailhaul.dev/x", "mailhaul.dev", "x.mailhaul.dev/y",
        "app.kubernetes.io/name", "app.kubernetes.io/managed-by", "app.kubernetes.io/part-of", "a\n", "a_/b",
        "a..b/c"]  # fmt: skip
LABELS: list[Any] = [{key: "v"} for key in KEYS]
LABELS += [{"a": text} for text in TEXTS] + [{f"k{n}": "" for n in range(size)} for size in (0, 32, 33)]
TOLERATIONS = [
    {}, {"operator": "Exists"}, {"key": "a"}, {"key": ""}, {"key": "a", "value": "b"},
    {"operator": "Exists", "value": ""}, {"operator": "Exists", "value": "b"},
    {"key": "a", "effect": "NoExecute", "tolerationSeconds": 0},
    {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 0}, {"key": "a", "tolerationSeconds": -1},
    {"key": "a", "effect": ""}, {"operator": "exists"}, {"key": None, "operator": "Exists"}, None, "a",
]  # fmt: skip
_VALUES: list[dict[str, Any]] = [{}, {"values": []}, {"values": ["1"]}, {"values": [1]}, {"values": None}]
EXPRESSIONS: list[dict[str, Any]] = [
    {"key": "a", "operator": operator, **values}
    for operator in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "in", None)
    for values in _VALUES
]
AFFINITIES: list[Any] = [
    {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for term in [{"topologyKey": "a"}, {"topologyKey": ""}, {}, {"topologyKey": "a", "labelSelector": {}}, None]
    + [{"topologyKey": "a", "labelSelector": {"matchExpressions": [one]}} for one in EXPRESSIONS]
]
AFFINITIES += [
    {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": weight, "preference": {
        "matchExpressions": [one]}}]}}
    for weight, one in [(1, one) for one in EXPRESSIONS] + [(w, EXPRESSIONS[2]) for w in (0, 100, 101, None)]
]  # fmt: skip

RELAY = {
    "upstreams": [{"providerRef": {"name": "one"}}],
    "listeners": [{"name": "smtp", "port": 25}],
    "aliases": {"domains": [{"name": "example.com"}]},
}
EXPOSED = {**RELAY, "service": {"type": "NodePort"}}
EXTERNAL: dict[str, Any] = {
    "secretStoreRef": {"name": "vault"},
    "data": [{"secretKey": "password", "remoteRef": {"key": "mailtrap"}}],
}
PROVIDER = {
    "type": "smtp",
    "host": "smtp.example.com",
    "tls": {"caRef": {"name": "ca"}},
    "auth": {"secretRef": {"name": "account"}},
    "senders": {"domains": ["example.com"]},
}
BY_STORE = {**PROVIDER, "auth": {"externalSecret": EXTERNAL}}
ALIAS = {
    "relayRef": {"name": "relay"},
    "addresses": [{"value": "a@example.com"}],
    "destinations": [{"name": "a", "mailbox": {"address": "a@example.net"}}],
}
SPECS = {
    "SmtpRelay": RELAY,
    "SmtpRelay exposed": EXPOSED,
    "UpstreamProvider": PROVIDER,
    "UpstreamProvider by store": BY_STORE,
    "MailAlias": ALIAS,
}
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
    ("SmtpRelay", "service/type", [*TEXTS, "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
    ("SmtpRelay", "service/externalTrafficPolicy", [*TEXTS, "Local", "Cluster"]),
    ("SmtpRelay", "service/annotations", LABELS),
    ("SmtpRelay exposed", "clients/allowedNetworks/0", NETWORKS),
    (
        "SmtpRelay exposed",
        "clients/allowedNetworks",
        [[], None, ["10.0.0.0/8", "0.0.0.0/0"], ["fc00::/7", "12.0.0.0/8"]],
    ),
    ("SmtpRelay exposed", "clients", [{}, None, {"allowedNetworks": []}]),
    (
        "SmtpRelay exposed",
        "service",
        [
            {"type": kind, "externalTrafficPolicy": policy}
            for kind in ("NodePort", "ClusterIP")
            for policy in ("Local", "Cluster", None)
        ],
    ),
    ("SmtpRelay", "queue/mode", [*TEXTS, "Persistent", "Ephemeral", "Shared"]),
    ("SmtpRelay", "queue/storage/size", [*SIZES, "64Mi", "63Mi", "64Ti", "65Ti", "2T", 2**31]),
    ("SmtpRelay", "queue/storage/storageClassName", TEXTS),
    ("SmtpRelay", "queue/storage/whenDeleted", [*TEXTS, "Retain", "Delete"]),
    (
        "SmtpRelay",
        "queue",
        [
            {"mode": "Ephemeral", "storage": storage}
            for storage in (
                {},
                None,
                {"size": "2Gi"},
                {"size": "2048Mi"},
                {"size": 2**31},
                {"size": "3Gi"},
                {"whenDeleted": "Delete"},
                {"storageClassName": "a"},
                {"storageClassName": None},
            )
        ],
    ),
    ("SmtpRelay", "delivery/staleAfter", DURATIONS),
    ("SmtpRelay", "monitoring/serviceMonitor", TEXTS),
    ("SmtpRelay", "networkPolicy/enabled", TEXTS),
    ("SmtpRelay", "upgradePolicy", [*TEXTS, "Automatic", "Manual"]),
    ("SmtpRelay", "resources/limits/cpu", CORES),
    ("SmtpRelay", "resources/requests/memory", [*SIZES, "16Mi", "15Mi", "1Ti", "2Ti"]),
    ("SmtpRelay", "resources/limits/ephemeral-storage", SIZES),
    (
        "SmtpRelay",
        "resources",
        [
            {"requests": {name: low}, "limits": {name: high}}
            for name, low, high in (
                ("cpu", "1", "1000m"),
                ("cpu", 1, "999m"),
                ("memory", "1G", "1Gi"),
                ("memory", "1Gi", "1G"),
                ("ephemeral-storage", "2M", "1M"),
                ("cpu", None, 1),
            )
        ],
    ),
    ("SmtpRelay", "podTemplate/labels", LABELS),
    ("SmtpRelay", "podTemplate/annotations", LABELS),
    ("SmtpRelay", "podTemplate/nodeSelector", LABELS),
    ("SmtpRelay", "podTemplate/tolerations/0", TOLERATIONS),
    ("SmtpRelay", "podTemplate/affinity", [{}, None, [], "a", *AFFINITIES]),
    ("SmtpRelay", "podTemplate/priorityClassName", TEXTS),
    (
        "SmtpRelay",
        "podTemplate/topologySpreadConstraints/0",
        [
            {},
            {"topologyKey": "a"},
            {"topologyKey": "a/b"},
            {"topologyKey": ""},
            {"topologyKey": "a", "maxSkew": 0},
            {"topologyKey": "a", "maxSkew": 100},
            {"topologyKey": "a", "maxSkew": 101},
            {"maxSkew": 1},
            {"topologyKey": "a", "whenUnsatisfiable": "Never"},
        ],
    ),
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
    ("UpstreamProvider by store", "auth/externalSecret/secretStoreRef/kind", [*TEXTS, "SecretStore"]),
    ("UpstreamProvider by store", "auth/externalSecret/secretStoreRef/name", TEXTS),
    ("UpstreamProvider by store", "auth/externalSecret/refreshInterval", [*DURATIONS, "4s", "5s"]),
    ("UpstreamProvider by store", "auth/externalSecret/data", [[], None, {}, EXTERNAL["data"], EXTERNAL["data"] * 2]),
    ("UpstreamProvider by store", "auth/externalSecret/data/0/secretKey", [*TEXTS, "username", "password"]),
    ("UpstreamProvider by store", "auth/externalSecret/data/0/remoteRef/key", [*TEXTS, "k" * 1024, "k" * 1025]),
    ("UpstreamProvider by store", "auth/externalSecret/data/0/remoteRef/property", TEXTS),
    ("UpstreamProvider by store", "auth/secretRef", [None, {"name": "a"}]),
    ("UpstreamProvider by store", "auth/mechanism", [None, "Auto", "None"]),
    ("UpstreamProvider", "probe/interval", [*DURATIONS, "5m", "4m59s"]),
    ("UpstreamProvider", "probe/sender", ADDRESSES),
    ("MailAlias", "relayRef/name", TEXTS),
    ("MailAlias", "relayRef/namespace", TEXTS),
    *(("MailAlias", f"addresses/0/{kind}", ADDRESSES) for kind in ("Exact", "SubAddress", "Wildcard", "CatchAll")),
    ("MailAlias", "destinations/0/name", TEXTS),
    ("MailAlias", "destinations/0/mailbox/address", ADDRESSES),
]
