"""Providers that want a certificate of the relay, or access tokens: changed live, and told when they are wrong."""

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.e2e import resources
from tests.support.e2e.canaries import remember
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CLIENT, FIRST, SECOND = "application-1", "client-secret-6e1d", "client-secret-90ab"
CERTIFICATE_SEEN = 75
"""Seconds: an operator for all namespaces reads a Secret that is proved once a minute."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusting(stage: Stage, authority: Authority) -> None:
    """The authority's certificate where the providers name it."""
    stage.app()
    data = {"ca.crt": authority.pem}
    stage.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"}, "data": data})


def server_pair(stage: Stage, authority: Authority, name: str) -> Pair:
    host = f"{name}.{stage.namespace}.svc.cluster.local"
    return authority.issue(name, subject_alt_name=f"DNS:{host}")


def identity(authority: Authority, name: str) -> resources.Resource:
    pair = authority.issue(name, subject_alt_name="DNS:relay.example.com")
    data = {"tls.crt": pair.chain.read_text(), "tls.key": remember(pair.key.read_text())}
    meta = {"name": "relay-tls"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/tls", "stringData": data}


def client(secret: str) -> resources.Resource:
    data = {"username": resources.USER, "clientId": CLIENT, "clientSecret": remember(secret)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "client"}, "stringData": data}


def _certificates(provider: ProviderPod) -> list[str]:
    return [one["certificate"] for one in provider.mails()]


@pytest.mark.usefixtures("trusting")
def test_a_renewed_certificate_of_the_relay_is_shown_without_a_restart(stage: Stage, authority: Authority) -> None:
    provider = stage.provider("strict", tls=server_pair(stage, authority, "strict"), clients=authority.pem)
    tls = {"mode": "StartTLS", "caRef": {"name": "authority"}, "clientCertificateRef": {"name": "relay-tls"}}
    stage.apply(resources.provider("strict", provider.host, tls=tls), resources.relay(["strict"]))
    stage.wait_condition("upstream/strict", "TLSVerified", "False", "SecretMissing", seconds=30)
    stage.apply(identity(authority, "relay-first"))
    provider.wait_subjects(stage.accepted(Mail("first")), 30)
    pod = stage.identity("relay-0")
    stage.apply(identity(authority, "relay-second"))

    def seen() -> bool:
        stage.accepted(Mail("again"))
        return "relay-second" in _certificates(provider)

    stage.until(seen, CERTIFICATE_SEEN, lambda: str(_certificates(provider)))
    assert _certificates(provider)[0] == "relay-first"
    assert stage.identity("relay-0") == pod
    stage.wait_condition("smtprelay/relay", "Ready", "True", "MailLeaves", seconds=20)


@pytest.mark.usefixtures("trusting")
def test_tokens_log_in_and_a_wrong_client_secret_is_told_in_the_token_servers_words(
    stage: Stage, authority: Authority
) -> None:
    pair = server_pair(stage, authority, "issuer")
    provider = stage.provider("issuer", tls=pair, tokens=(resources.USER, CLIENT, FIRST))
    ca = {"name": "authority"}
    oauth = {"grant": "ClientCredentials", "tokenUrl": f"https://{provider.host}/token", "caRef": ca}
    auth = {"mechanism": "XOAuth2", "oauth": oauth, "secretRef": {"name": "client"}}
    spec = resources.provider("issuer", provider.host, tls={"mode": "StartTLS", "caRef": ca}, auth=auth)
    stage.apply(client("wrong-secret-1b77"), spec, resources.relay(["issuer"], name="tokens"))
    stage.wait_condition("upstream/issuer", "Authenticated", "False", "CredentialRefused", seconds=60)
    told = stage.condition("upstream/issuer", "Authenticated")["message"]
    assert "invalid_client: Invalid client secret provided." in told
    stage.apply(client(FIRST))
    stage.wait_condition("upstream/issuer", "Authenticated", "True", "LoggedIn", seconds=60)
    sent = stage.accepted(Mail("with a token"), relay="tokens")
    provider.wait_subjects(sent, 20)
    provider.behave(secret=SECOND)
    stage.apply(client(SECOND))
    stage.wait_condition("upstream/issuer", "Ready", "True", seconds=CERTIFICATE_SEEN)
    more = stage.accepted(Mail("with another"), relay="tokens")
    provider.wait_subjects([*sent, *more], 30)
    assert {one["user"] for one in provider.mails()} == {resources.USER}
