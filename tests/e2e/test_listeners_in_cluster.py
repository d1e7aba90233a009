"""Clients log in at a relay of the cluster over implicit TLS and STARTTLS; accounts change without a restart."""

import time

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.e2e import resources
from tests.support.e2e.canaries import remember
from tests.support.e2e.stage import PYTHON, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FIRST, SECOND = "first-login-7d21", "second-login-c9f4"
SEEN_WITHIN = 120
"""Seconds: an operator for all namespaces reads a Secret that is in use once a minute; then the pod's mount follows."""
_REQUIRED = {"mode": "Required"}
TALK = """
import smtplib, ssl, sys
host, port, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
try:
    if port == 465:
        client = smtplib.SMTP_SSL(host, port, context=context, timeout=20)
    else:
        client = smtplib.SMTP(host, port, timeout=20)
        client.starttls(context=context)
    with client:
        if password:
            client.login("shop", password)
        client.sendmail("app@example.com", ["user@example.net"], "From: app@example.com\\nSubject: login\\n\\nhi\\n")
    print(250)
except smtplib.SMTPResponseException as error:
    print(error.smtp_code, error.smtp_error.decode())
except (OSError, smtplib.SMTPException) as error:
    print(0, error)
"""


@pytest.fixture(scope="module")
def provider(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> ProviderPod:
    """A relay that takes mail after a login only."""
    stage.app()
    provider = stage.provider("provider")
    pair = Authority(tmp_path_factory.mktemp("tls")).issue("relay", subject_alt_name="DNS:relay")
    tls = {"secretRef": {"name": "tls"}}
    listeners = [
        {"name": "submission", "port": 587, "tls": {"mode": "StartTLS", "required": True, **tls}, "auth": _REQUIRED},
        {"name": "submissions", "port": 465, "tls": {"mode": "Implicit", **tls}, "auth": _REQUIRED},
    ]
    clients = {"allowedNetworks": [], "accounts": {"secretRef": {"name": "accounts"}}}
    stage.apply(_certificate(pair), _accounts(FIRST), resources.provider("provider", provider.host))
    stage.apply(resources.relay(["provider"], listeners=listeners, clients=clients))
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "True")
    return provider


def test_a_login_is_needed_on_both_ports_and_enough(stage: Stage, provider: ProviderPod) -> None:
    for port in (587, 465):
        _until_said(stage, port, FIRST, "250")
        assert _talk(stage, port, "").startswith("530 5.7.0")
        assert _talk(stage, port, "wrong").startswith("535 5.7.8")
    assert provider.subjects().count("login") >= 2


def test_accounts_change_and_go_without_a_restart(stage: Stage, provider: ProviderPod) -> None:
    pod = stage.identity("relay-0")
    stage.apply(_accounts(SECOND))
    took = _until_said(stage, 465, SECOND, "250")
    print(f"a new password: taken after {took:.1f} s")
    stage.ask("delete", "secret", "accounts")
    stage.wait_condition("smtprelay/relay", "ConfigApplied", "False", "AccountsSecretMissing", seconds=SEEN_WITHIN)
    _until_said(stage, 465, SECOND, "454 4.7.0")
    assert stage.identity("relay-0") == pod


def _certificate(pair: Pair) -> resources.Resource:
    data = {"tls.crt": pair.chain.read_text(), "tls.key": pair.key.read_text()}
    metadata = {"name": "tls"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "stringData": data}


def _accounts(password: str) -> resources.Resource:
    data = {"accounts": f"shop:{{PLAIN}}{remember(password)}\n"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "accounts"}, "stringData": data}


def _talk(stage: Stage, port: int, password: str) -> str:
    host = str(stage.get("service", "relay")["spec"]["clusterIP"])
    return stage.ask("exec", "app", "--", PYTHON, "-c", TALK, host, str(port), password).strip()


def _until_said(stage: Stage, port: int, password: str, wanted: str) -> float:
    """Send until the answer begins so. Failures of a minute would be a ban, so it asks slowly."""

    def said() -> str:
        time.sleep(8)
        return _talk(stage, port, password)

    return stage.until(lambda: said().startswith(wanted), SEEN_WITHIN, lambda: _talk(stage, port, password))
