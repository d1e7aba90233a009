"""The cases of `plan.objects`: each folder has resources in YAML, and the manifests that become of them.

`world.yaml` says what the cluster is and what runs in it (the fields of `Facts` and `Live`). In `expected/` is one file
an object, numbered in the order of application; values of Secrets are left out.
Run `python -m tests.golden.plan_objects.cases` to write them anew, then read the difference.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from mailhaul_operator.api.resources import Resources
from mailhaul_operator.local.loading import Source, load
from mailhaul_operator.local.rendering import without_secrets
from mailhaul_operator.plan.external_secrets import external_secret
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Facts, Fresh, Live, Manifest, Snapshot

HERE = Path(__file__).parent
CASES = tuple(sorted(one.name for one in HERE.iterdir() if one.is_dir() and one.name[0].isdigit()))


def resources(case: str) -> Resources:
    """Read the resources of a case."""
    return load(Source((HERE / case / "resources.yaml",))).resources


def snapshot(case: str) -> Snapshot:
    """Give the world of the one relay of a case, with chance taken out."""
    found = resources(case)
    (relay,) = found.relays
    facts, live = _world(case)
    return Snapshot(relay, found, Fresh("golden-revision", "golden-token"), facts=facts, live=live, now=1_800_000_000)


def manifests(case: str) -> tuple[Manifest, ...]:
    """Give every object of a case: those of its providers, then those of its relay."""
    world = snapshot(case)
    external = (external_secret(one, world.facts) for one in world.resources.providers)
    return (*(one for one in external if one), *objects(world, plan(world)))


def outcome(case: str) -> dict[str, str]:
    """Give the manifests of a case as texts by file name."""
    return {
        f"{number:02}-{one['kind'].lower()}.{one['metadata']['name']}.yaml": _text(without_secrets(one))
        for number, one in enumerate(manifests(case), 1)
    }


def expected(case: str) -> dict[str, str]:
    """Give the texts that lie in a case's folder."""
    return {one.name: one.read_text() for one in sorted((HERE / case / "expected").glob("*.yaml"))}


def update(cases: Iterable[str]) -> None:
    """Write what becomes of these cases."""
    for case in cases:
        folder = HERE / case / "expected"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in outcome(case).items():
            (folder / name).write_text(text)


def _world(case: str) -> tuple[Facts, Live]:
    world: dict[str, dict[str, Any]] = yaml.safe_load((HERE / case / "world.yaml").read_text())
    facts, live = world.get("facts", {}), world.get("live", {})
    tuples = {"image_pull_secrets": tuple(facts.get("image_pull_secrets", ()))}
    sets = {name: frozenset(live.get(name, ())) for name in ("holding", "proved")}
    return Facts(**{**facts, **tuples}), Live(**{**live, **sets})


def _text(manifest: Manifest) -> str:
    return yaml.safe_dump(dict(manifest), sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    update(CASES)
