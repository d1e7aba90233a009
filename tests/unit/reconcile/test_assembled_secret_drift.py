"""Whole passes while somebody spoils the assembled Secret: no credential is lost, and nothing is written for ever."""

from typing import Any

import pytest
from tests.support.cluster_objects import provider, relay, secret
from tests.support.running_relay import RELAY, RunningRelay
from tests.support.writable_server import Operator, WritableServer

from mailhaul_operator.observe.secrets import FRESH, KEPT
from mailhaul_operator.reconcile.pace import STEADY

PREVIOUS = {"provider.main.previous.password", "provider.main.previous.username", "provider.main.previous.since"}
LATER = KEPT + 1


def server() -> WritableServer:
    account = secret("account", username="dXNlcg==", password="c2VjcmV0")
    return WritableServer(provider("main", "account"), relay("one", "main"), account)


@pytest.fixture
async def rotated(monkeypatch: pytest.MonkeyPatch) -> RunningRelay:
    """A relay that sends with the previous password, since the new one is wrong; then the source goes too."""
    result = RunningRelay(server(), monkeypatch)
    await result.run()
    result.reports["one-0"] = {"upstreams": [{"name": "main", "provider": "main", "credential": "Previous"}]}
    result.server.put(secret("account", 50, username="dXNlcg==", password="d3Jvbmc="))
    await result.later(LATER, times=2)
    assert data(result).keys() >= PREVIOUS
    del result.server.objects["Secret", "smtp", "account"]
    await result.later(LATER)
    return result


def data(operator: Operator) -> dict[str, str]:
    found: dict[str, str] = operator.server.objects["Secret", "smtp", "one-mailhaul"]["data"]
    return found


def spoil(operator: RunningRelay, **metadata: Any) -> Any:  # noqa: ANN401 - members of metadata
    body = operator.edited("Secret", "one-mailhaul")
    body["metadata"].update(metadata)
    operator.server.put(body)
    return body


def adopt(operator: RunningRelay) -> None:
    body = operator.edited("Secret", "one-mailhaul")
    body["metadata"].setdefault("annotations", {})["mailhaul.dev/adopt"] = "one"
    operator.server.put(body)


async def test_one_that_was_deleted_comes_back_as_it_was(rotated: RunningRelay) -> None:
    before = data(rotated)
    rotated.server.written.clear()
    del rotated.server.objects["Secret", "smtp", "one-mailhaul"]
    await rotated.later(LATER)
    assert data(rotated) == before
    assert rotated.server.written[0] == "apply Secret one-mailhaul"
    assert "apply ConfigMap one-mailhaul" not in rotated.server.written


@pytest.mark.parametrize("key", ["provider.main.password", "provider.main.previous.password", "api.token"])
async def test_a_key_that_was_removed_or_edited_comes_back_under_a_new_revision(
    rotated: RunningRelay, key: str
) -> None:
    for spoiled in ({}, {key: "c3BvaWxlZA=="}):
        before = data(rotated)
        body = spoil(rotated)
        body["data"] = {**{name: text for name, text in before.items() if name != key}, **spoiled}
        await rotated.later(LATER)
        after = data(rotated)
        # A relay may have loaded the spoiled one already.
        assert after["revision"] != before["revision"]
        assert {**after, "revision": ""} == {**before, "revision": ""}


async def test_one_that_lost_its_owner_is_told_and_the_remedy_brings_all_of_it_back(rotated: RunningRelay) -> None:
    before = data(rotated)
    spoil(rotated, ownerReferences=[])
    await rotated.later(LATER)
    assert "NameTaken" in str(rotated.server.status("SmtpRelay", "one"))
    assert data(rotated) == before
    rotated.server.written.clear()
    adopt(rotated)
    await rotated.later(6)
    assert rotated.server.objects["Secret", "smtp", "one-mailhaul"]["metadata"]["ownerReferences"]
    assert data(rotated) == before
    assert "NameTaken" not in str(rotated.server.status("SmtpRelay", "one"))


async def test_a_restarted_operator_takes_its_own_one_back_with_all_of_it(
    rotated: RunningRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = data(rotated)
    spoil(rotated, ownerReferences=[], labels={})
    restarted = RunningRelay(rotated.server, monkeypatch)
    await restarted.settle()
    adopt(restarted)
    await restarted.later(6)
    assert data(restarted) == before


async def test_in_a_listed_namespace_the_remedy_loses_nothing_either(rotated: RunningRelay) -> None:
    monitored = rotated.world.holders
    monitored._watched, monitored.synced = frozenset({"smtp"}), True
    before = data(rotated)
    body = rotated.edited("Secret", "one-mailhaul")
    body["metadata"]["ownerReferences"] = []
    rotated.see(body)
    await rotated.settle()
    adopt(rotated)
    rotated.see(rotated.edited("Secret", "one-mailhaul"))
    await rotated.later(6)
    assert data(rotated) == before


async def test_a_relay_that_was_made_again_takes_nothing_from_the_one_before_it(rotated: RunningRelay) -> None:
    del rotated.server.objects["Secret", "smtp", "one-mailhaul"]
    body = rotated.edited("SmtpRelay", "one")
    body["metadata"]["uid"] = "another"
    rotated.see(body)
    await rotated.later(LATER)
    assert not [one for one in data(rotated) if one.startswith("provider.")]


async def test_a_secret_of_another_under_the_needed_name_stops_the_configuration_and_all_further_writes() -> None:
    world = server()
    world.put(secret("one-mailhaul", x="eA=="))
    operator = Operator(world)
    await operator.settle()
    assert "apply ConfigMap one-mailhaul" not in world.written
    assert "apply Service one" in world.written
    world.written.clear()
    for _ in range(24):
        operator.now += 5
        await operator.all_again()
    # Only the status, when its patience ends.
    assert set(world.written) <= {"status SmtpRelay one", "status UpstreamProvider main"}
    world.written.clear()
    for _ in range(24):
        operator.now += 5
        await operator.all_again()
    assert world.written == []


async def test_one_that_may_not_be_read_is_told_and_looked_at_now_and_then(rotated: RunningRelay) -> None:
    before = data(rotated)
    rotated.server.forbidden.add("one-mailhaul")
    await rotated.later(LATER)
    assert "Forbidden" in str(rotated.server.status("SmtpRelay", "one"))
    rotated.server.written.clear()
    reads = rotated.server.reads["Secret"]
    for _ in range(3):
        rotated.now += 1
        await rotated.all_again()
    assert (rotated.server.written, data(rotated)) == ([], before)
    # That of the account, which is absent, is looked for in these seconds.
    assert rotated.server.reads["Secret"] - reads <= 1
    rotated.server.forbidden.clear()
    await rotated.later(FRESH)
    assert "Forbidden" not in str(rotated.server.status("SmtpRelay", "one"))


async def test_after_a_restart_one_that_may_not_be_read_is_not_overwritten(
    rotated: RunningRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = data(rotated)
    rotated.server.forbidden.add("one-mailhaul")
    restarted = RunningRelay(rotated.server, monkeypatch)
    await restarted.settle()
    restarted.start(1)
    restarted.reports = rotated.reports
    # Its token is not known, so its pods do not answer.
    restarted.silent = "the pod refuses the operator's token"
    await restarted.later(STEADY, times=3)
    assert (restarted.again[RELAY] or 0) >= STEADY
    assert "Forbidden" in str(restarted.server.status("SmtpRelay", "one"))
    restarted.server.forbidden.clear()
    restarted.silent = ""
    await restarted.later(FRESH, times=2)
    assert data(restarted) == before
