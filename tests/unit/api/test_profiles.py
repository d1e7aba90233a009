"""Profiles: every type has one, and what it says can be used as it stands."""

import pytest

from mailhaul_contract.upstream import TlsMode, UpstreamKind
from mailhaul_operator.api.profiles import profile, profiles
from mailhaul_operator.api.upstreamprovider import TYPES_WITHOUT_HOST, ProviderType, UpstreamProvider

PROVIDERS = [kind for kind in ProviderType if kind is not ProviderType.CAPTURE]


def test_every_type_has_a_profile_and_no_profile_lacks_a_type() -> None:
    assert set(profiles()) == set(ProviderType)


@pytest.mark.parametrize("kind", ProviderType)
def test_a_profile_names_its_source(kind: ProviderType) -> None:
    assert profile(kind).documentation.startswith("https://")


def test_only_types_that_must_be_given_a_host_have_none() -> None:
    without = {kind for kind in PROVIDERS if not profile(kind).host}
    assert without == set(TYPES_WITHOUT_HOST)
    assert all(profile(kind).host_example for kind in without)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_ports_have_the_tls_that_their_numbers_mean(kind: ProviderType) -> None:
    one = profile(kind)
    ports = {one.port: one.tls, **{other.port: other.tls for other in one.alternates}}
    implicit = {port for port, tls in ports.items() if tls is TlsMode.IMPLICIT}
    assert implicit <= {465, 2465, 8465, 443}
    assert not {465, 2465} & (ports.keys() - implicit)
    assert TlsMode.NONE not in ports.values()
    assert len(ports) == 1 + len(one.alternates)


@pytest.mark.parametrize("kind", PROVIDERS)
def test_a_provider_of_the_profile_is_a_valid_resource(kind: ProviderType) -> None:
    one = profile(kind)
    auth, tls = {"secretRef": {"name": "account"}}, {"mode": one.tls.value}
    spec = {"type": kind.value, "host": one.host or one.host_example, "port": one.port, "auth": auth, "tls": tls}
    resource = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": "UpstreamProvider", "metadata": {"name": kind.value}}
    assert UpstreamProvider.from_json({**resource, "spec": spec}).spec.host == (one.host or one.host_example)


def test_behavior_has_the_form_of_the_contract() -> None:
    ses = profile(ProviderType.SES).behavior
    assert (ses.max_message_size, ses.max_recipients, ses.null_sender) == (40_000_000, 50, "Refused")
    assert "DKIM-Signature" in ses.unique_headers


def test_capture_connects_to_nothing() -> None:
    assert profile(ProviderType.CAPTURE).kind is UpstreamKind.CAPTURE
    assert all(profile(kind).kind is UpstreamKind.SMTP for kind in PROVIDERS)


def test_fixed_user_names_are_those_of_the_documents() -> None:
    fixed = {kind.value: profile(kind).login.fixed for kind in PROVIDERS if profile(kind).login.fixed}
    assert fixed == {"mailtrap": "api", "resend": "resend", "sendgrid": "apikey"}
