"""Nothing that is JSON makes the models fail in any other way than by refusals with words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mailhaul_contract.refusals import Refusal, refusals
from mailhaul_operator.api.part import Part
from mailhaul_operator.manifests.kinds import CORE, OWN

MODELS: list[type[Part]] = [*OWN.values(), *CORE.values()]
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_WORDS = st.sampled_from([
    "spec", "type", "host", "auth", "secretRef", "name", "upstreams", "providerRef", "listeners", "port", "tls",
    "queue", "retry", "initial", "clients", "allowedNetworks", "addresses", "value", "destinations", "mailbox",
    "relayRef", "limits", "messageSize", "aliases", "domains", "namespaces", "from", "selector", "matchLabels",
    "data", "stringData", "metadata", "status", "service", "annotations", "storage", "size", "mode", "resources",
    "limits", "cpu", "podTemplate", "labels", "tolerations", "affinity", "podAffinity", "externalSecret", "probe",
])  # fmt: skip
_JSON = st.recursive(
    _SCALARS | st.sampled_from(["smtp", "10.0.0.0/8", "a@example.com", "Selector", "1h", "25Mi", "StartTLS"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def _told(model: type[Part], value: object) -> tuple[Refusal, ...]:
    try:
        model.from_json(value)
    except ValidationError as error:
        return refusals(error)
    return ()


@given(model=st.sampled_from(MODELS), document=_JSON, member=_WORDS)
def test_any_json_is_accepted_or_refused_with_words(model: type[Part], document: object, member: str) -> None:
    head = {"apiVersion": "mailhaul.dev/v1alpha1", "kind": model.__name__, "metadata": {"name": "x"}}
    for value in (document, {**head, "spec": document}, {**head, member: document}):
        assert all(one.reason and one.remedy for one in _told(model, value))


def test_a_surrogate_is_refused() -> None:
    with pytest.raises(ValidationError):
        OWN["SmtpRelay"].from_json({"kind": "\ud800"})
