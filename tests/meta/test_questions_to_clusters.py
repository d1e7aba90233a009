"""What is read without kubectl is what kubectl would have read; whatever else is asked goes to kubectl."""

import os
from pathlib import Path

import pytest
from tests.support.api_reads import Question, reads_of


@pytest.mark.parametrize(
    ("words", "kinds", "name", "namespace", "selector"),
    [
        ("get smtprelay/a -o json -n team", "smtprelay", "a", "team", ""),
        ("-n team get pod a -o json", "pod", "a", "team", ""),
        ("get pods,services -l app=x -n team -o json", "pods services", "", "team", "app=x"),
        ("get namespaces -o json", "namespaces", "", "default", ""),
    ],
)
def test_a_plain_read_is_understood(words: str, kinds: str, name: str, namespace: str, selector: str) -> None:
    assert Question.of(words.split()) == Question(tuple(kinds.split()), name, namespace, selector)


@pytest.mark.parametrize(
    "words",
    [
        *("get pods", "get pods -o jsonpath={.items}", "get pods -A -o json", "get pod a b -o json"),
        *("get pod/a pod/b -o json", "get pod/a -l x=y -o json", "get pods,services a -o json", "get pod/ -o json"),
        *("delete pod a -o json", "get -o json", "get pods -o json --field-selector=spec.nodeName=x", "apply -o json"),
        *("get pod/a/log -o json", "get pods a/log -o json"),
    ],
)
def test_anything_else_goes_to_kubectl(words: str) -> None:
    assert Question.of(words.split()) is None


def test_another_way_to_log_in_goes_to_kubectl(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("{current-context: a, contexts: [], clusters: [], users: []}")
    assert reads_of(file) is None
    file.write_text("{")
    os.utime(file, (1, 1))
    assert reads_of(file) is None
    assert reads_of(tmp_path / "none") is None
