"""The command as the plugin of kubectl: the same verbs, and those that look at a relay mean the cluster."""

import pytest

from mailhaul_contract import console


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the verbs are given, in place of running them."""
    given: list[list[str]] = []

    def main(words: list[str]) -> int:
        given.append(words)
        return 0

    monkeypatch.setattr(console, "main", main)
    return given


@pytest.mark.parametrize("verb", ["status", "queue", "trace", "suppression", "replies"])
def test_what_looks_at_a_relay_means_the_cluster(verb: str, asked: list[list[str]]) -> None:
    assert console.kubectl([verb, "smtp-relay", "-n", "smtp"]) == 0
    assert asked == [[verb, "smtp-relay", "-n", "smtp", "--cluster"]]


@pytest.mark.parametrize("words", [[], ["--help"], ["up", "-f", "examples"]])
def test_other_words_stay_as_they_are(words: list[str], asked: list[list[str]]) -> None:
    console.kubectl(words)
    assert asked == [words]
