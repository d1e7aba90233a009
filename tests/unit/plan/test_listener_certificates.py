"""A listener that is open stays open with its last good certificate while the Secret of it is gone or unusable."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.golden.plan.cases import HERE

from mailhaul_contract.names import secret_certificate, secret_private_key
from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.plan.findings import Reason
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot

RESOURCES = load(Source((HERE / "45-listeners-and-accounts" / "resources.yaml",))).resources


def planned(resources: Resources, existing: Mapping[str, bytes]) -> Plan:
    return plan(Snapshot(resources.relays[0], resources, Fresh("revision", "token"), dict(existing)))


def with_certificate(values: Mapping[str, str] | None) -> Resources:
    """The resources with another content of Secret `tls`, without it for None."""
    others = [one for one in RESOURCES.secrets if one.metadata.name != "tls"]
    (tls,) = (one for one in RESOURCES.secrets if one.metadata.name == "tls")
    kept: list[Secret] = [] if values is None else [tls.model_copy(update={"string_data": values, "data": {}})]
    return replace(RESOURCES, secrets=(*others, *kept))


def names(result: Plan) -> set[str]:
    assert result.config is not None
    return {one.name for one in result.config.listeners}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (None, Reason.TLS_SECRET_MISSING),
        ({"tls.crt": "garbage", "tls.key": "garbage"}, Reason.SECRET_KEY_INVALID),
        ({"tls.crt": "-----BEGIN CERTIFICATE-----\n"}, Reason.SECRET_KEY_MISSING),
    ],
)
def test_the_last_good_certificate_stays_in_use_and_it_is_told(
    values: Mapping[str, str] | None, reason: Reason
) -> None:
    before = planned(RESOURCES, {})
    after = planned(with_certificate(values), before.secret)
    assert names(after) == names(before)
    for key in (secret_certificate("submission"), secret_private_key("submission")):
        assert after.secret[key] == before.secret[key]
    told = [one.message for one in after.findings if one.reason is reason]
    assert any("listener submission goes on with its last good certificate" in one for one in told)


def test_a_listener_that_never_had_a_certificate_does_not_open() -> None:
    result = planned(with_certificate(None), {})
    assert "submission" not in names(result)
    assert any("listener submission does not open" in one.message for one in result.findings)


def test_the_certificate_of_a_listener_that_is_gone_goes_too() -> None:
    before = planned(RESOURCES, {})
    (relay,) = RESOURCES.relays
    kept = tuple(one for one in relay.spec.listeners if one.name != "submission")
    spec = relay.spec.model_copy(update={"listeners": kept})
    after = planned(replace(RESOURCES, relays=(relay.model_copy(update={"spec": spec}),)), before.secret)
    assert secret_certificate("submission") not in after.secret
