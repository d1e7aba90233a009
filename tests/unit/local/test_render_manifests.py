"""`mailhaul render --manifests`: the objects that the operator would make, and no secret."""

import json

import pytest
import yaml
from tests.golden.plan_objects.cases import HERE
from tests.support.repository import REPOSITORY

from mailhaul_operator import cli

EXAMPLES = REPOSITORY / "examples"


def test_the_objects_are_yaml_documents_in_the_order_of_application(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.render(["-f", str(EXAMPLES / "smallest"), "--manifests"]) == 0
    kinds = [one["kind"] for one in yaml.safe_load_all(capsys.readouterr().out)]
    assert (kinds[0], kinds[-1]) == ("ServiceAccount", "StatefulSet")


def test_of_a_secret_only_the_keys_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.render(["-f", str(EXAMPLES / "quickstart"), "--manifests", "-o", "json"]) == 0
    out = capsys.readouterr().out
    (secret,) = (one for one in json.loads(out) if one["kind"] == "Secret")
    assert set(secret["data"].values()) == {"<redacted>"}
    assert "only-for-the-demo" not in out


def test_an_external_secret_is_among_them(capsys: pytest.CaptureFixture[str]) -> None:
    file = HERE / "05-external-secret-v1" / "resources.yaml"
    assert cli.render(["-f", str(file), "--manifests"]) == 0
    kinds = [one["kind"] for one in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds[0] == "ExternalSecret"
