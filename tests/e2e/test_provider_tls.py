"""Item 2: a provider that demands TLS, with a certificate of an own authority, and a login."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PASSWORD = "right-51c2d0"
TLS = {"mode": "StartTLS", "caRef": {"name": "authority", "key": "ca.crt"}}


def test_mail_leaves_by_tls_and_login_once_the_authority_is_named(stage: Stage, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    name = f"provider.{stage.namespace}.svc.cluster.local"
    pair = authority.issue("provider", subject_alt_name=f"DNS:{name}")
    stage.app()
    provider = stage.provider("provider", auth=(resources.USER, PASSWORD), tls=pair)
    stage.apply(resources.secret("credential", PASSWORD))
    spec = resources.provider("provider", provider.host, secret="credential", tls={"mode": "StartTLS"})
    stage.apply(spec, resources.relay(["provider"]))
    told = stage.wait_condition("upstream/provider", "TLSVerified", "False", "TLSFailed", seconds=30)
    message = stage.condition("smtprelay/relay", "UpstreamsReady")["message"]
    print(f"an authority that nobody trusts: told after {told:.1f} s: {message}")
    assert "certificate" in message
    assert "caRef" in message
    held = stage.accepted(Mail("held"))

    _name(stage, authority, spec)
    took = stage.wait_condition("upstream/provider", "Authenticated", "True", "LoggedIn", seconds=30)
    provider.wait_subjects(held, 10)
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves", seconds=20)
    conditions = ("Reachable", "TLSVerified", "Authenticated", "SenderAccepted", "Ready")
    stage.until(_all_true(stage, conditions), 20, lambda: str(stage.get("upstream", "provider")["status"]))
    print(f"logged in by TLS {took:.1f} s after the authority was named")
    assert _how(provider) == {(True, resources.USER)}
    assert [one["good"] for one in provider.logins()].count(False) == 0


def _name(stage: Stage, authority: Authority, spec: resources.Resource) -> None:
    """Give the authority in a ConfigMap, and name it."""
    data = {"ca.crt": authority.pem}
    stage.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}, "data": data})
    spec["spec"]["tls"] = TLS
    stage.apply(spec)


def _all_true(stage: Stage, types: tuple[str, ...]) -> Callable[[], bool]:
    return lambda: all(stage.condition("upstream/provider", one).get("status") == "True" for one in types)


def _how(provider: ProviderPod) -> set[tuple[bool, str]]:
    return {(one["tls"], one["user"]) for one in provider.mails()}
