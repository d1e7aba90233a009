"""Resources as tests apply them: a Secret, a provider, a relay, an alias, each as small as it can be.

Used by the tests with a stage. Values are plain dicts, for a test may want to spoil them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.e2e.canaries import remember

API = "mailhaul.dev/v1alpha1"
USER = "mailer"
Resource = dict[str, Any]


def secret(name: str, password: str, username: str = USER) -> Resource:
    """A credential; its password is looked for where it must not be (`canaries`)."""
    data = {"username": username, "password": remember(password)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def provider(name: str, host: str, *, secret: str = "", **spec: object) -> Resource:
    """A provider of type smtp on port 25, without TLS; with a credential when a Secret is named."""
    auth: Mapping[str, object] = {"secretRef": {"name": secret}} if secret else {"mechanism": "None"}
    whole = {"type": "smtp", "host": host, "port": 25, "tls": {"mode": "None"}, "auth": auth, **spec}
    return {"apiVersion": API, "kind": "UpstreamProvider", "metadata": {"name": name}, "spec": whole}


def relay(upstreams: Sequence[str], name: str = "relay", **spec: object) -> Resource:
    """A relay that sends through these providers, the first while it can; it tries a mail again after a second."""
    ways = [{"name": one, "providerRef": {"name": one}, "priority": 10 * at} for at, one in enumerate(upstreams)]
    queue = {"retry": {"initial": "1s", "max": "5s"}}
    whole = {"hostname": "relay.example.com", "upstreams": ways, "queue": queue, **spec}
    return {"apiVersion": API, "kind": "SmtpRelay", "metadata": {"name": name}, "spec": whole}


def alias(name: str, address: str, mailboxes: Sequence[str], relay: str = "relay") -> Resource:
    """An alias of one address for mailboxes."""
    to = [{"name": f"to-{at}", "mailbox": {"address": one}} for at, one in enumerate(mailboxes)]
    spec = {"relayRef": {"name": relay}, "addresses": [{"value": address}], "destinations": to}
    return {"apiVersion": API, "kind": "MailAlias", "metadata": {"name": name}, "spec": spec}
