"""Aliases that a ConfigMap cannot hold move into tables; what fits into no table changes nothing that runs."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.golden.plan_objects.cases import snapshot

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.digest import digest
from mailhaul_contract.forwarding import Alias
from mailhaul_contract.names import ALIAS_TABLE_FILES
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.plan import alias_tables, relay_config
from mailhaul_operator.plan.alias_tables import tables
from mailhaul_operator.plan.findings import Reason
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Snapshot

CASE = "04-two-listeners"


def world(count: int) -> Snapshot:
    """A relay with so many aliases of one address each."""
    known = snapshot(CASE)
    template: dict[str, Any] = {
        "apiVersion": "mailhaul.dev/v1alpha1",
        "kind": "MailAlias",
        "metadata": {"name": "a", "namespace": "smtp"},
        "spec": {
            "relayRef": {"name": "smtp-relay", "namespace": "smtp"},
            "addresses": [{"value": "a@example.com"}],
            "destinations": [{"name": "to", "mailbox": {"address": "someone@example.net"}}],
        },
    }

    def alias(number: int) -> MailAlias:
        metadata = {"name": f"a{number:05}", "namespace": "smtp"}
        addresses = [{"value": f"a{number:05}@example.com"}]
        return MailAlias.from_json(
            {**template, "metadata": metadata, "spec": {**template["spec"], "addresses": addresses}}
        )

    return replace(known, resources=replace(known.resources, aliases=tuple(alias(number) for number in range(count))))


@pytest.fixture(name="small")
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of a hundredth, so that a test need not make 40 000 aliases."""
    monkeypatch.setattr(relay_config, "INLINE", 6_000)
    monkeypatch.setattr(alias_tables, "TABLE", 9_000)


@pytest.mark.usefixtures("small")
def test_a_table_that_fits_stays_in_the_configuration() -> None:
    found = plan(world(10))
    assert found.config is not None
    assert (len(found.config.aliases.entries), found.tables, found.config.aliases.tables) == (10, (), ())


@pytest.mark.usefixtures("small")
def test_larger_ones_move_into_tables_that_the_configuration_names_by_digest() -> None:
    found = plan(world(300))
    config = RelayConfig.from_json(json.loads(found.content))
    assert config == found.config
    assert config.aliases.entries == ()
    assert config.aliases.tables == tuple(digest(one) for one in found.tables)
    entries = [Alias.from_json(one) for table in found.tables for one in json.loads(table)]
    assert [one.name for one in entries] == [f"a{number:05}" for number in range(300)]
    assert len(found.tables) > 1
    assert max(map(len, found.tables)) <= 9_000


@pytest.mark.usefixtures("small")
def test_each_table_is_a_config_map_that_is_applied_before_the_configuration_that_names_it() -> None:
    here = world(300)
    found = plan(here)
    names = [(one["metadata"]["name"], one["data"]) for one in objects(here, found) if one["kind"] == "ConfigMap"]
    assert [name for name, _ in names] == [
        *(f"smtp-relay-mailhaul-aliases-{number}" for number in range(len(found.tables))),
        "smtp-relay-mailhaul",
    ]
    for number, table in enumerate(found.tables):
        assert names[number][1] == {ALIAS_TABLE_FILES[number]: table.decode()}


@pytest.mark.usefixtures("small")
def test_more_than_eight_tables_leave_the_last_good_configuration() -> None:
    here = world(1000)
    found = plan(here)
    (finding,) = (one for one in found.findings if one.reason is Reason.TOO_MANY_ALIASES)
    assert "1000 addresses" in finding.message
    assert (found.config, found.tables, objects(here, found)) == (None, (), ())


def test_more_addresses_than_a_relay_takes_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_config, "ENTRIES", 9)
    found = plan(world(10))
    assert Reason.TOO_MANY_ALIASES in {one.reason for one in found.findings}
    assert found.config is None


def test_one_entry_more_than_fits_begins_a_table() -> None:
    entry = Alias(namespace="n", name="n", value="a@example.com", destinations=("b@example.net",))
    size = len(tables([entry])[0]) - 3
    fitting = (alias_tables.TABLE - 3) // (size + 1)
    assert [len(json.loads(one)) for one in tables([entry] * fitting)] == [fitting]
    assert [len(json.loads(one)) for one in tables([entry] * (fitting + 1))] == [fitting, 1]
