"""SMTP accounts travel in the assembled Secret alone, and those that are taken away are gone."""

from dataclasses import replace
from pathlib import Path

import yaml
from tests.golden.plan.cases import HERE

from mailhaul_contract.accounts import parse_accounts
from mailhaul_contract.names import SECRET_ACCOUNTS, SECRET_REVISION
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.plan.findings import Reason
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot

PASSWORD = "hunter2hunter2"


def resources_of(case: str) -> Resources:
    return load(Source(tuple(sorted((HERE / case).glob("*.yaml"))))).resources


def snapshot_of(resources: Resources, existing: dict[str, bytes] | None = None, revision: str = "one") -> Snapshot:
    (relay,) = resources.relays
    return Snapshot(relay, resources, Fresh(revision, "token"), existing or {})


def written(path: Path, accounts: str) -> Resources:
    """The resources of the usual case with other accounts."""
    documents = list(yaml.safe_load_all((HERE / "45-listeners-and-accounts" / "resources.yaml").read_text()))
    for one in documents:
        if one["metadata"]["name"] == "accounts":
            one["stringData"]["accounts"] = accounts
    path.write_text(yaml.safe_dump_all(documents))
    return load(Source((path,))).resources


def test_nothing_of_an_account_is_outside_of_the_assembled_secret() -> None:
    for case in ("45-listeners-and-accounts", "47-account-unusable"):
        snapshot = snapshot_of(resources_of(case))
        planned = plan(snapshot)
        assert PASSWORD.encode() in planned.secret[SECRET_ACCOUNTS]
        others = [one for one in objects(snapshot, planned) if one["kind"] != "Secret"]
        told = [repr(planned), repr(planned.config), planned.content.decode(), repr(others), repr(planned.findings)]
        assert not [one for one in told if "hunter2" in one or "shop" in one]


def test_a_line_that_cannot_be_used_is_not_handed_on() -> None:
    planned = plan(snapshot_of(resources_of("47-account-unusable")))
    handed = parse_accounts(planned.secret[SECRET_ACCOUNTS])
    assert handed.faults == ()
    assert set(handed.passwords) == {"shop"}
    assert [one.reason for one in planned.findings] == [Reason.ACCOUNT_UNUSABLE] * 4


def test_changed_accounts_are_news_to_the_relay_and_equal_ones_are_not(tmp_path: Path) -> None:
    first = plan(snapshot_of(written(tmp_path / "one.yaml", "shop:{PLAIN}one\n")))
    same = plan(snapshot_of(written(tmp_path / "one.yaml", "shop:{PLAIN}one\n"), dict(first.secret), "two"))
    other = plan(snapshot_of(written(tmp_path / "one.yaml", "shop:{PLAIN}two\n"), dict(first.secret), "two"))
    assert _revision(same) == _revision(first)
    assert _revision(other) != _revision(first)
    assert other.config is not None
    assert other.config.secret_revision == _revision(other)


def test_accounts_of_before_do_not_stay_when_their_secret_is_gone() -> None:
    before = plan(snapshot_of(resources_of("45-listeners-and-accounts")))
    resources = resources_of("45-listeners-and-accounts")
    without = replace(resources, secrets=tuple(one for one in resources.secrets if one.metadata.name != "accounts"))
    after = plan(snapshot_of(without, dict(before.secret)))
    assert SECRET_ACCOUNTS not in after.secret
    assert [one.reason for one in after.findings] == [Reason.ACCOUNTS_SECRET_MISSING]


def test_more_bad_lines_than_are_told_one_by_one_are_counted(tmp_path: Path) -> None:
    planned = plan(snapshot_of(written(tmp_path / "one.yaml", "bad\n" * 14)))
    assert SECRET_ACCOUNTS not in planned.secret
    told = [one.message for one in planned.findings if one.reason is Reason.ACCOUNT_UNUSABLE]
    assert len(told) == 11
    assert any("4 more lines" in one for one in told)


def _revision(planned: Plan) -> str:
    return planned.secret[SECRET_REVISION].decode()
