"""The command that makes an account's line: what it prints can be used, and shows no password."""

import io

import pytest

from mailhaul_contract.accounts import parse_accounts
from mailhaul_relay.cli import relay
from mailhaul_relay.smtpin.passwords import verify


def line_of(name: str, typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    code = relay(["account", name])
    said = capsys.readouterr()
    assert (code == 0) == bool(said.out)
    assert (code == 0) != bool(said.err)
    return said.out


def test_the_line_is_an_account_with_that_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = line_of("shop@example.com", "hunter2 \r\n", monkeypatch, capsys)
    assert "hunter2" not in line
    accounts = parse_accounts(line.encode())
    assert accounts.faults == ()
    assert verify(accounts.passwords["shop@example.com"], b"hunter2 ")


@pytest.mark.parametrize(("name", "typed"), [("a:b", "x\n"), ("", "x\n"), ("shop", "\n"), ("shop", "x" * 256 + "\n")])
def test_what_no_account_can_have_is_refused(
    name: str, typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert line_of(name, typed, monkeypatch, capsys) == ""
