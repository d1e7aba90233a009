"""Documents that can be trusted: links lead somewhere, the changelog has its form, every command is described."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from tests.support.repository import REPOSITORY, files, text

from mailhaul_contract.console import COMMANDS

DOCUMENTS = [path for path in files() if path.suffix == ".md"]
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def _slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def _anchors(document: Path) -> set[str]:
    return {_slug(heading) for heading in _HEADING.findall(_FENCE.sub("", text(document)))}


def _broken(document: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return False
    name, _, anchor = target.partition("#")
    there = (REPOSITORY / document.parent / name).resolve() if name else REPOSITORY / document
    if not there.exists() or not there.is_relative_to(REPOSITORY):
        return True
    return bool(anchor) and there.suffix == ".md" and anchor not in _anchors(there.relative_to(REPOSITORY))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    links = _LINK.findall(_FENCE.sub("", text(document)))
    assert not [target for target in links if _broken(document, target)]


def test_changelog_keeps_its_form() -> None:
    # https://keepachangelog.com/en/1.1.0/
    changelog = text(Path("CHANGELOG.md"))
    assert changelog.startswith("# Changelog\n")
    versions = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    dated = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - \d{4}-\d{2}-\d{2}", one) for one in versions[1:]]
    assert all(dated), versions
    numbers = [tuple(map(int, one.groups())) for one in dated if one]
    assert numbers == sorted(numbers, reverse=True)
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= _SECTIONS


def test_changelog_tells_of_the_version_that_is_built() -> None:
    version = tomllib.loads(text(Path("pyproject.toml")))["project"]["version"]
    released = f"## [{version}]" in text(Path("CHANGELOG.md"))
    unreleased = text(Path("CHANGELOG.md")).partition("## [Unreleased]\n")[2].partition("\n## ")[0]
    assert released or unreleased.strip()


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_is_there_and_is_documented(verb: str) -> None:
    module, _, function = COMMANDS[verb][0].partition(":")
    assert callable(getattr(import_module(module), function))
    named = re.compile(rf"\bmailhaul {verb}\b")
    assert [path for path in DOCUMENTS if named.search(text(path)) and path.parts[:2] != ("docs", "design")]
