"""The commands of the control plane: exit codes, findings with file and line, and never a secret."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.golden.plan.cases import HERE
from tests.support.repository import REPOSITORY

from mailhaul_operator import cli
from mailhaul_operator.local.envsecrets import EnvSecret, parse, with_env
from mailhaul_operator.local.screen import PlainLines
from mailhaul_operator.local.state import write_json

EXAMPLES = REPOSITORY / "examples"


@pytest.mark.parametrize("example", sorted({one.parent.name for one in EXAMPLES.rglob("relay.yaml")} | {"smallest"}))
def test_every_example_is_valid(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = next(one for one in EXAMPLES.rglob(example) if one.is_dir())
    assert cli.validate(["-f", str(folder)]) == 0
    assert capsys.readouterr().out == "nothing found: the resources are good\n"


def test_a_finding_is_told_with_file_line_field_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    case = HERE / "06-secret-key-missing" / "resources.yaml"
    assert cli.validate(["-f", str(case)]) == 1
    out = capsys.readouterr().out
    head = f"{case}:15: Error SecretKeyMissing: UpstreamProvider smtp/main spec.auth.secretRef.passwordKey\n"
    assert head in out
    assert "    remedy: add key password\n" in out.replace(", or correct the reference", "")
    assert out.endswith("2 errors\n")


def test_findings_as_json_are_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.validate(["-f", str(HERE / "11-provider-not-used" / "resources.yaml"), "-o", "json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["reason"], finding["severity"], finding["line"]) == ("ProviderNotUsed", "Warning", 10)


def test_an_unreadable_file_is_a_finding_and_no_exception(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.validate(["-f", str(tmp_path / "none.yaml")]) == 1
    assert f"{tmp_path / 'none.yaml'}:1: Error Unreadable\n    there is no such file\n" in capsys.readouterr().out


def test_a_state_directory_that_cannot_be_made_is_told_with_the_remedy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert cli.up(["-f", str(EXAMPLES / "smallest"), "--state-dir", str(tmp_path / "file" / "state")]) == 1
    told = capsys.readouterr().err
    assert told.endswith("cannot be used (Not a directory); choose another with --state-dir\n")


def test_render_prints_the_configuration_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.render(["-f", str(EXAMPLES / "quickstart"), "-o", "json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["relay"] == {"namespace": "smtp", "name": "smtp-relay"}
    assert "only-for-the-demo" not in out


def test_render_of_a_relay_that_is_not_there_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.render(["-f", str(EXAMPLES / "quickstart"), "--relay", "smtp/other"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, "there are smtp/smtp-relay" in captured.err) == ("", True)


def test_two_relays_are_two_yaml_documents(capsys: pytest.CaptureFixture[str]) -> None:
    files = HERE / "28-hostname-repeated" / "resources.yaml"
    assert cli.render(["-f", str(files)]) == 0
    assert capsys.readouterr().out.count("\n---\n") == 1


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (cli.validate, []),
        (cli.validate, ["-f"]),
        (cli.up, ["-f", "x", "--bind", "localhost"]),
        (cli.up, ["-f", "x", "--port-base", "25"]),
        (cli.up, ["-f", "x", "--env-secret", "no-form"]),
        (cli.render, ["-f", "x", "-o", "xml"]),
        (cli.status, ["--url", "u", "--state-dir", "d"]),
    ],
)
def test_wrong_usage_is_exit_code_2(
    command: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(arguments)
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_variable_that_is_not_set_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-f", str(EXAMPLES / "smallest"), "--env-secret", "smtp/mailtrap:password=MAILHAUL_NOT_SET"]
    assert cli.validate(arguments) == 2
    assert "MAILHAUL_NOT_SET is not set" in capsys.readouterr().err


def test_status_without_a_running_up_names_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["--state-dir", str(tmp_path)]) == 1
    assert "start `mailhaul up`" in capsys.readouterr().err


def test_status_of_a_relay_that_is_gone_is_told_and_exit_code_1(
    free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.status(["--url", f"http://127.0.0.1:{free_port}", "-o", "json"]) == 1
    (relay,) = json.loads(capsys.readouterr().out)
    assert relay["mailLeaves"] is None
    assert relay["causes"][0]["reason"] == "Unreachable"


def test_status_of_an_address_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["--url", "127.0.0.1:9090"]) == 2
    assert "must look like" in capsys.readouterr().err


def test_up_with_nothing_to_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: mailhaul.dev/v1alpha1\nkind: SmtpRelay\nmetadata: {name: a}\n")
    arguments = ["-f", str(tmp_path / "a.yaml"), "--state-dir", str(tmp_path / "state"), "-o", "plain"]
    assert cli.up(arguments) == 1
    captured = capsys.readouterr()
    assert "a.yaml:1: Error Invalid: SmtpRelay default/a spec" in captured.out
    assert "nothing can run" in captured.err


def test_the_form_of_an_env_secret() -> None:
    assert parse("smtp/mailtrap:password=TOKEN") == EnvSecret("smtp", "mailtrap", "password", "TOKEN")
    assert parse("mailtrap:password=TOKEN").namespace == "default"
    for wrong in ("", "a", "a:b", "a=b", ":b=c", "a:=c", "a:b=", "/a:b=c"):
        with pytest.raises(ValueError, match="write it as"):
            parse(wrong)


def test_an_env_secret_makes_a_secret_or_adds_a_key() -> None:
    one, other = EnvSecret("n", "s", "a", "A"), EnvSecret("n", "s", "b", "B")
    (secret,) = with_env((), (one, other), {"A": "1", "B": "2"})
    assert (secret.value("a"), secret.value("b")) == (b"1", b"2")
    (changed,) = with_env((secret,), (one,), {"A": "3"})
    assert (changed.value("a"), changed.value("b")) == (b"3", b"2")


def test_a_json_file_is_the_owners_and_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["ready.json"]


def test_a_closed_output_stops_nothing() -> None:
    def closed(line: str) -> int:
        raise BrokenPipeError

    screen = PlainLines(closed)
    screen.tell("a")
    screen.tell("b")


def test_words_of_others_cannot_steer_the_terminal() -> None:
    lines: list[str] = []
    PlainLines(lines.append).tell("550 \x1b[2J\x07no\r")
    assert lines[0].endswith(" 550 \ufffd[2J\ufffdno\ufffd\n")
