"""SMTP accounts as a mounted file: read with the other secrets, refused as a whole when one cannot be used."""

from pathlib import Path

import pytest

from mailhaul_contract.accounts import Plain
from mailhaul_relay.reload.files import UnreadableError, read_secrets


def test_accounts_are_read_with_the_other_secrets(tmp_path: Path) -> None:
    assert read_secrets(tmp_path).accounts == {}
    (tmp_path / "smtp.accounts").write_text("# the shop\nshop:{PLAIN}hunter2\n")
    secrets = read_secrets(tmp_path)
    assert secrets.accounts == {"shop": Plain(b"hunter2")}
    assert "shop" not in repr(secrets)
    assert "hunter2" not in repr(secrets)


def test_a_line_that_cannot_be_used_is_told_by_its_number_only(tmp_path: Path) -> None:
    (tmp_path / "smtp.accounts").write_text("shop:{PLAIN}x\nerp:hunter2\n")
    with pytest.raises(UnreadableError) as refused:
        read_secrets(tmp_path)
    (reason,) = refused.value.reasons
    assert reason.startswith("smtp.accounts, line 2: ")
    assert "hunter2" not in reason
    assert "erp" not in reason
