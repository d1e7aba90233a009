"""The plan is a function: the order of inputs never shows, and a revision changes only with what it names."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.golden.plan.cases import CASES, HERE, plans_of

from mailhaul_contract.names import SECRET_API_TOKEN, SECRET_REVISION, secret_password
from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason, Severity, in_order
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot
from mailhaul_operator.plan.survey import survey

MANY = ("02-everything", "03-upstreams-in-order", "17-alias-conflict-by-name", "20-alias-cycle")
T = TypeVar("T")
FRESH = Fresh("new-revision", "new-token")


def resources_of(case: str) -> Resources:
    return load(Source(tuple(sorted((HERE / case).glob("*.yaml"))))).resources


def shuffled(resources: Resources, data: st.DataObject) -> Resources:
    def some_order(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(data.draw(st.permutations(items)))

    return replace(
        resources,
        relays=tuple(inside_shuffled(one, data) for one in some_order(resources.relays)),
        providers=some_order(resources.providers),
        aliases=some_order(resources.aliases),
        secrets=some_order(resources.secrets),
        config_maps=some_order(resources.config_maps),
        namespaces=some_order(resources.namespaces),
    )


def inside_shuffled(relay: SmtpRelay, data: st.DataObject) -> SmtpRelay:
    """Order has no meaning in the lists of a relay either: upstreams have priorities, networks are a set."""
    spec = relay.spec
    aliases = spec.aliases.model_copy(update={"domains": tuple(data.draw(st.permutations(spec.aliases.domains)))})
    return relay.model_copy(update={"spec": spec.model_copy(update={"aliases": aliases})})


@pytest.mark.parametrize(
    "case", ["02-everything", "03-upstreams-in-order", "16-alias-conflict-by-age", "20-alias-cycle"]
)
@given(data=st.data())
def test_the_order_of_resources_never_shows(case: str, data: st.DataObject) -> None:
    resources = resources_of(case)
    mixed = shuffled(resources, data)
    before = {one.key: (one.content, one.digest, one.findings) for one in plans_of(resources)}
    assert {one.key: (one.content, one.digest, one.findings) for one in plans_of(mixed)} == before
    assert survey(mixed) == survey(resources)


POOL = tuple(resources_of(case) for case in CASES)


def mixed_from_pool(data: st.DataObject) -> Resources:
    """Resources of all cases, thrown together; no two of one kind share namespace and name."""

    def some(kind: str) -> Any:  # noqa: ANN401 - the field's own tuple
        every = [one for resources in POOL for one in getattr(resources, kind)]
        drawn = data.draw(st.lists(st.sampled_from(every), max_size=8))
        return tuple({one.metadata.key: one for one in drawn}.values())

    return Resources(*(some(field.name) for field in fields(Resources)))


@given(data=st.data())
def test_no_mixture_of_resources_is_an_exception_and_no_relay_stays_silent(data: st.DataObject) -> None:
    resources = mixed_from_pool(data)
    survey(resources)
    for each in plans_of(resources):
        errors = [one for one in each.findings if one.severity is Severity.ERROR]
        assert each.config is not None or errors
        if each.config is not None and not each.config.upstreams:
            assert Reason.NO_UPSTREAM in {one.reason for one in errors}


def planned(existing: Mapping[str, bytes], fresh: Fresh = FRESH, password: str = "p") -> Plan:
    resources = resources_of("08-secret-key-invalid")
    secret = resources.secrets[0].model_copy(update={"string_data": {"username": "u", "password": password}})
    resources = replace(resources, secrets=(secret,))
    return plan(Snapshot(resources.relays[0], resources, fresh, existing))


def test_the_revision_stays_while_the_secrets_are_equal() -> None:
    first = planned({})
    again = planned(first.secret, Fresh("other-revision", "other-token"))
    assert again.secret == first.secret
    assert (again.content, again.digest) == (first.content, first.digest)


def test_a_changed_credential_gets_a_fresh_revision_and_keeps_the_token() -> None:
    first = planned({})
    changed = planned(first.secret, Fresh("other-revision", "other-token"), password="q")
    assert changed.secret[SECRET_REVISION] == b"other-revision"
    assert changed.secret[SECRET_API_TOKEN] == first.secret[SECRET_API_TOKEN]
    assert changed.digest != first.digest, "the configuration names the revision that it needs"


def test_no_secret_is_in_the_configuration_nor_in_a_repr() -> None:
    result = planned({}, password="hunter2-hunter2")
    assert result.secret[secret_password("main")] == b"hunter2-hunter2"
    assert b"hunter2" not in result.content
    assert "hunter2" not in repr(result)
    assert "new-token" not in repr(result) + result.content.decode() + repr(FRESH)


@pytest.mark.parametrize("case", CASES)
def test_no_finding_repeats_a_value_of_a_secret(case: str) -> None:
    resources = resources_of(case)
    values = {
        value.strip() for secret in resources.secrets for value in secret.string_data.values() if len(value.strip()) > 8
    }
    told = json.dumps([one.to_json() for each in plans_of(resources) for one in each.findings])
    assert not [value for value in values if value in told]


def test_the_ports_are_those_of_the_snapshot() -> None:
    resources = resources_of("01-smallest")
    result = plan(Snapshot(resources.relays[0], resources, FRESH, {}, {25: 4025}))
    assert result.config is not None
    assert [one.port for one in result.config.listeners] == [4025]


def test_a_relay_without_a_configuration_has_no_secret_either() -> None:
    (result,) = plans_of(resources_of("15-no-listener"))
    assert (result.config, result.content, result.secret) == (None, b"", {})
    assert any(one.severity is Severity.ERROR for one in result.findings)


def test_an_upstream_that_is_left_out_leaves_no_credential_behind() -> None:
    resources = resources_of("06-secret-key-missing")
    (result,) = plans_of(resources)
    assert sorted(result.secret) == [SECRET_API_TOKEN, SECRET_REVISION]


def test_a_value_of_data_counts_as_one_of_string_data() -> None:
    secret = Secret.from_json(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "main", "namespace": "smtp"}, "data": {"a": "eA=="}}
    )
    assert secret.value("a") == b"x"


def test_every_reason_says_what_it_means() -> None:
    for reason in Reason:
        assert reason.value.isalnum()
        assert reason.meaning.endswith(".")


def test_findings_are_sorted_and_told_once() -> None:
    one = Finding(ObjectRef("B", "n", "a"), "f", Reason.SECRET_MISSING, "m", "r")
    other = Finding(ObjectRef("A", "n", "a"), "f", Reason.SECRET_MISSING, "m", "r")
    assert in_order([one, other, one]) == (other, one)
