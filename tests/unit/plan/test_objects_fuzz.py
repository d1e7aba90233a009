"""Nothing that a resource holds changes the structure of an object: each text comes out as it went in.

Drawn texts are put into every place of the templates that can hold a user's text, past the models' own checks, which
would refuse most of them. The objects must be those of the same resources with harmless texts, but for these texts.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from tests.golden.plan_objects.cases import manifests, snapshot

from mailhaul_contract.names import SECRET_REVISION
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.plan.external_secrets import external_secret
from mailhaul_operator.plan.naming import SPEC
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Live, Manifest, Plan, Snapshot
from mailhaul_operator.plan.templates import render

HOSTILE = (
    "{{ 7 * 7 }}{% for x in y %}{# #}",
    "a\nkind: Pod\n---\nb: c",
    "'\"`\\",
    "<<: *a",
    "&a !!python/object/apply:os.system [x]",
    "null",
    "0777",
    "1e9",
    "yes",
    "2001-01-01",
    "- [}, ]",
    "#",
    "|",
    ">",
    "%YAML 1.1",
    "\u0085\u2028\u2029\ufeff\x7f\x1b\x00\t\r",
    "\U0001f4e7 \u00fc\u00df",
    "=",
    "~",
    " ",
    "</script>",
    "a" * 300,
)
texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
RELAY, DEPLOYED, EXTERNAL = "07-pod-template", "02-ephemeral", "05-external-secret-v1"


def harmless(place: str) -> str:
    """A text that no YAML could mistake, and none of which is a part of another."""
    return f"at.{place}.end"


class Texts:
    """A text for each place: drawn ones, or the harmless ones in the same places."""

    def __init__(self, hostile: Mapping[str, str]) -> None:
        self._hostile = hostile

    def __call__(self, mark: str) -> str:
        return self._hostile.get(mark, harmless(mark))

    def pairs(self, mark: str) -> dict[str, str]:
        return {self(f"{mark}-key"): self(f"{mark}-value")}


def changed(model: Any, **values: Any) -> Any:  # noqa: ANN401 - any model, past its checks
    return model.model_copy(update=values)


def world(case: str, text: Texts) -> Snapshot:
    """The world of a case with texts of ours wherever a user's text can stand."""
    known = snapshot(case)
    spec = known.relay.spec
    toleration = {"key": text("toleration-key"), "value": text("toleration-value")}
    template = changed(
        spec.pod_template,
        labels=text.pairs("labels"),
        annotations=text.pairs("annotations"),
        node_selector=text.pairs("node-selector"),
        priority_class_name=text("priority"),
        tolerations=tuple(changed(one, **toleration) for one in spec.pod_template.tolerations),
    )
    spec = changed(
        spec,
        pod_template=template,
        service=changed(spec.service, annotations=text.pairs("service")),
        listeners=tuple(changed(one, name=text("listener")) for one in spec.listeners),
        clients=changed(spec.clients, allowed_networks=(text("network"),)),
        network_policy=changed(spec.network_policy, enabled=True),
        queue=changed(spec.queue, storage=changed(spec.queue.storage, storage_class_name=text("class"))),
    )
    metadata = changed(known.relay.metadata, name=text("name"), namespace=text("namespace"), uid="u" + text("uid"))
    relay: SmtpRelay = changed(known.relay, spec=spec, metadata=metadata)
    facts = replace(known.facts, image=text("image"), image_pull_secrets=(text("pull"),), operator_namespace="o")
    return replace(known, relay=relay, facts=facts)


def planned(case: str, text: Texts) -> Plan:
    """A plan whose configuration and Secret hold texts of ours too."""
    good = plan(snapshot(case))
    secret = {text("secret-key"): text("secret-value").encode(), SECRET_REVISION: text("revision").encode()}
    return replace(
        good,
        namespace=text("namespace"),
        name=text("name"),
        content=text("content").encode(),
        secret=secret,
        tables=(text("table").encode(),),
    )


def unmarked(manifest: Manifest) -> dict[str, Any]:
    metadata = dict(manifest["metadata"])
    metadata["annotations"] = {name: value for name, value in metadata["annotations"].items() if name != SPEC}
    return {**manifest, "metadata": metadata}


def made(case: str, text: Texts) -> list[dict[str, Any]]:
    return [unmarked(one) for one in objects(world(case, text), planned(case, text))]


PAIRS = ("labels", "annotations", "node-selector", "service", "toleration")
SINGLE = ("name", "namespace", "uid", "image", "pull", "class", "priority", "network", "listener", "content", "table")
PLACES = (*SINGLE, *(f"{pair}-{part}" for pair in PAIRS for part in ("key", "value")))


def shape(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The structure of a value without its texts: members in order, lengths of lists, types of leaves."""
    if isinstance(value, dict):
        return [shape(one) for one in value.values()]
    return [shape(one) for one in value] if isinstance(value, list) else type(value)


def leaves(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return [*(str(name) for name in value), *(leaf for one in value.values() for leaf in leaves(one))]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    return [value] if isinstance(value, str) else []


def filled(leaf: str, hostile: Mapping[str, str]) -> str:
    """A harmless leaf as it has to look with the hostile texts; one place is in a leaf at most, but for names."""
    parts = leaf.split("at.")
    for index, part in enumerate(parts[1:], 1):
        place, _, rest = part.partition(".end")
        parts[index] = hostile[place] + rest if place in hostile else f"at.{part}"
    return "".join(parts)


@pytest.mark.parametrize("case", [RELAY, DEPLOYED])
@given(hostile=st.fixed_dictionaries(dict.fromkeys(PLACES, texts)))
def test_every_text_comes_out_as_it_went_in(case: str, hostile: dict[str, str]) -> None:
    before, after = made(case, Texts({})), made(case, Texts(hostile))
    assert [shape(one) for one in after] == [shape(one) for one in before]
    assert leaves(after) == [filled(leaf, hostile) for leaf in leaves(before)]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_in_all_places_at_once_comes_out_as_it_went_in(text: str) -> None:
    test_every_text_comes_out_as_it_went_in.hypothesis.inner_test(RELAY, dict.fromkeys(PLACES, text))


@given(store=texts, key=texts, property_=texts)
def test_an_external_secret_holds_the_texts_of_its_provider(store: str, key: str, property_: str) -> None:
    known = snapshot(EXTERNAL)
    (provider,) = known.resources.providers
    external = provider.spec.auth.external_secret
    assert external is not None
    remote = changed(external.data[0].remote_ref, key=key, property=property_ + "x")
    external = changed(
        external,
        secret_store_ref=changed(external.secret_store_ref, name=store),
        data=tuple(changed(one, remote_ref=remote) for one in external.data),
    )
    auth = changed(provider.spec.auth, external_secret=external)
    found = external_secret(changed(provider, spec=changed(provider.spec, auth=auth)), known.facts)
    assert found is not None
    assert shape(unmarked(found)) == shape(unmarked(manifests(EXTERNAL)[0]))
    assert found["spec"]["secretStoreRef"]["name"] == store
    assert [one["remoteRef"] for one in found["spec"]["data"]] == [{"key": key, "property": property_ + "x"}] * 2


def test_a_name_without_a_value_is_a_mistake_and_no_empty_text() -> None:
    with pytest.raises(UndefinedError):
        render("serviceaccount", {"name": "a"})


def test_the_world_of_the_fuzz_shrinks_nothing() -> None:
    assert {one["kind"] for one in made(RELAY, Texts({}))} >= {"StatefulSet", "Service", "NetworkPolicy", "ConfigMap"}
    assert {one["kind"] for one in made(DEPLOYED, Texts({}))} >= {"Deployment", "Service", "NetworkPolicy"}
    assert snapshot(RELAY).live == Live()
