"""YAML becomes values with the line of every field; whatever could grow, hide or surprise is refused with its line."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_operator.manifests import yaml_tree
from mailhaul_operator.manifests.scalars import plain
from mailhaul_operator.manifests.yaml_tree import YamlRefused, documents

TEXT = """\
# a comment
kind: SmtpRelay
spec:
  upstreams:
  - providerRef:
      name: mailtrap
  - {providerRef: {name: ses}, priority: 10}
  labels: {"mail/allowed": "yes"}
---
---
second: true
"""


def _refused(text: str) -> YamlRefused:
    with pytest.raises(YamlRefused) as caught:
        list(documents(text))
    return caught.value


def test_values_are_as_json_has_them_and_empty_documents_are_left_out() -> None:
    first, second = documents(TEXT)
    upstreams = [{"providerRef": {"name": "mailtrap"}}, {"providerRef": {"name": "ses"}, "priority": 10}]
    assert first.value == {"kind": "SmtpRelay", "spec": {"upstreams": upstreams, "labels": {"mail/allowed": "yes"}}}
    assert second.value == {"second": True}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 2),
        ("kind", 2),
        ("spec.upstreams", 4),
        ("spec.upstreams[0].providerRef.name", 6),
        ("spec.upstreams[1].priority", 7),
        ("spec.upstreams[1].weight", 7),
        ("spec.labels.mail/allowed", 8),
        ("spec.queue.retry.initial", 3),
        ("metadata.name", 2),
    ],
)
def test_a_path_leads_to_its_line_or_to_that_of_what_is_around_it(path: str, line: int) -> None:
    first, _ = documents(TEXT)
    assert first.positions.line(path) == line


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: {\n", 3, "not YAML"),
        ("a: &x 1\nb: *x\n", 2, "an alias (*) is not read"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "a tag (!) is not read"),
        ("a: !secret x\n", 1, "a tag (!) is not read"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key `a` is given twice"),
        ("25: smtp\n", 1, "a key is not text"),
        ("? [a]\n: b\n", 1, "a key is not text"),
        ("? {a: b}\n: b\n", 1, "a key is not text"),
        ("null: x\n", 1, "a key is not text"),
        ("a: \x00\n", 1, "not YAML"),
        ("[" * 100 + "]" * 100, 1, "nested deeper than 64"),
        ("a:\n\tb: 1\n", 2, "not YAML"),
    ],
)
def test_what_is_not_read_is_refused_with_its_line_and_a_remedy(text: str, line: int, reason: str) -> None:
    refused = _refused(text)
    assert (refused.line, refused.remedy != "") == (line, True)
    assert reason in refused.reason


def test_documents_before_a_fault_are_read() -> None:
    found = documents("a: 1\n---\nb: {\n")
    assert next(found).value == {"a": 1}
    with pytest.raises(YamlRefused):
        next(found)


def test_a_text_has_a_largest_number_of_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "MAX_NODES", 20)
    assert "more than 20" in _refused("[" + "a," * 30 + "]").reason


def test_a_refusal_never_repeats_a_scalar() -> None:
    for text in ("password: !x hunter2\n", "password: *hunter2\n", "password: 'hunter2\n", "password: hunter2: x\n"):
        assert "hunter2" not in str(_refused(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("No", False), ("on", True), ("y", "y"),
        ("25", 25), ("-1", -1), ("0x1F", 31), ("010", 8), ("0o17", 15), ("1.5", 1.5), ("1e3", 1000.0),
        ("1:30", "1:30"), ("2026-11-21", "2026-11-21"), ("25Mi", "25Mi"), (".inf", ".inf"), ("5m", "5m"),
        ("٣", "٣"), ("9" * 40, "9" * 40), ("*", "*"), ("089", 89.0),
    ],
)  # fmt: skip
def test_a_plain_scalar_means_what_kubectl_takes_it_for(text: str, value: object) -> None:
    assert plain(text) == value
    assert type(plain(text)) is type(value)


def test_quoted_text_stays_text() -> None:
    (document,) = documents("a: \"25\"\nb: 'yes'\nc: |\n  null\n")
    assert document.value == {"a": "25", "b": "yes", "c": "null\n"}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(YamlRefused):
        list(documents(text))
