"""Argo CD's health checks, run by a Lua of its version (5.1) on resources of every state: the same rule as kstatus."""

from typing import Any

import pytest
import yaml
from lupa import lua51
from tests.support.recorded import Recorded, recorded
from tests.support.repository import REPOSITORY

HEALTH = {"Current": "Healthy", "Failed": "Degraded", "InProgress": "Progressing", "Terminating": "Progressing"}
CHECKS: dict[str, str] = yaml.safe_load((REPOSITORY / "deploy" / "argocd" / "argocd-cm.yaml").read_text())["data"]
KINDS = ("SmtpRelay", "UpstreamProvider", "MailAlias")
RECORDED = recorded()


def _health(body: dict[str, Any]) -> tuple[str, str]:
    """Status and message; like Argo CD's, the Lua can reach nothing outside."""
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute("os, io, require, package, debug, python = nil")
    lua.globals().obj = lua.table_from(body, recursive=True)
    told = lua.execute(CHECKS[f"resource.customizations.health.mailhaul.dev_{body['kind']}"])
    return told.status, told.message


@pytest.mark.parametrize("one", RECORDED, ids=lambda one: one.name)
def test_argo_cd_concludes_what_kstatus_does_and_says_why(one: Recorded) -> None:
    status, message = _health(one.body)
    assert status == HEALTH[one.kstatus]
    assert message
    conditions = {condition["type"]: condition for condition in one.body["status"].get("conditions", [])}
    if status == "Degraded":
        assert message == f"{conditions['Stalled']['reason']}: {conditions['Stalled']['message']}"
    elif status == "Healthy":
        assert message == conditions["Ready"]["message"]


def test_every_kind_is_recorded_in_every_state() -> None:
    seen = {(one.body["kind"], HEALTH[one.kstatus]) for one in RECORDED}
    assert seen == {(kind, state) for kind in KINDS for state in ("Healthy", "Degraded", "Progressing")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_resource_of_before_the_definitions_had_a_default_is_progressing(kind: str) -> None:
    assert _health({"kind": kind, "metadata": {"generation": 1}})[0] == "Progressing"


def test_the_three_kinds_have_one_rule_and_nothing_else_is_customized() -> None:
    assert set(CHECKS) == {f"resource.customizations.health.mailhaul.dev_{kind}" for kind in KINDS}
    assert len(set(CHECKS.values())) == 1
