"""docs/quotas.md: its manifests plan without a finding, and what they say is what the relay is told."""

from pathlib import Path

from tests.support.readme import blocks
from tests.support.repository import REPOSITORY

from mailhaul_contract.quotas import QuotaWindow
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.local.planning import preview


def test_the_manifests_of_the_page_plan_as_they_stand(tmp_path: Path) -> None:
    page = [one for one in blocks(REPOSITORY / "docs" / "quotas.md") if one.name == "quotas.yaml"]
    file = tmp_path / "quotas.yaml"
    file.write_text(page[0].text, encoding="utf-8")
    loaded = load(Source((file,)))
    planned = preview(loaded.resources)
    assert not loaded.is_broken
    assert not planned.findings
    config = planned.plans[0].config
    assert config is not None
    trial, paid = config.upstreams
    assert [one.limit for one in trial.quotas] == [2, 50]
    assert paid.quotas[0].window is QuotaWindow.ROLLING
