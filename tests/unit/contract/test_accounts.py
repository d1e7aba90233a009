"""SMTP accounts as text: what is understood, what is a fault, and that no fault repeats what it is about."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.accounts import MAX_ACCOUNTS, MAX_TEXT, Argon2id, Plain, Scrypt, parse_accounts

SALT = base64.b64encode(b"a salt of sixteen").decode().rstrip("=")
HASH = base64.b64encode(b"h" * 32).decode().rstrip("=")
ARGON2ID = f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${HASH}"
SCRYPT = f"$scrypt$ln=14,r=8,p=5${SALT}${HASH}"


def test_every_form_is_understood() -> None:
    text = f"# the shop\n\nshop:{{PLAIN}}a password: with a colon\r\nerp@example.com:{ARGON2ID}\ncrm:{SCRYPT}\n"
    accounts = parse_accounts(text.encode())
    assert accounts.faults == ()
    assert accounts.passwords == {
        "shop": Plain(b"a password: with a colon"),
        "erp@example.com": Argon2id(ARGON2ID),
        "crm": Scrypt(1 << 14, 8, 5, b"a salt of sixteen", b"h" * 32),
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hunter2", "no colon"),
        (":{PLAIN}hunter2", "name"),
        ("a b:{PLAIN}hunter2", "name"),
        ("ü:{PLAIN}hunter2", "name"),
        (f"{'n' * 129}:{{PLAIN}}hunter2", "name"),
        ("shop:hunter2", "form"),
        ("shop:{SSHA}hunter2", "form"),
        ("shop:$2y$10$hunter2", "form"),
        ("shop:{PLAIN}", "empty"),
        ("shop:{PLAIN}hunter2\t", "printable"),
        (f"shop:{{PLAIN}}{'hunter2' * 40}", "too long"),
        (f"shop:{ARGON2ID.replace('argon2id', 'argon2i')}", "form"),
        (f"shop:{ARGON2ID.replace('v=19', 'v=16')}", "form"),
        (f"shop:{ARGON2ID.replace('m=19456', 'm=x')}", "parameters"),
        (f"shop:{ARGON2ID.replace('m=19456,t=2', 't=2,m=19456')}", "parameters"),
        (f"shop:{ARGON2ID.replace('p=1', 'p=0')}", "parameters"),
        (f"shop:{ARGON2ID.replace('m=19456', 'm=4')}", "parameters"),
        (f"shop:{ARGON2ID.replace('m=19456', 'm=65537')}", "64 MiB"),
        (f"shop:{ARGON2ID.replace('t=2', 't=20')}", "passes"),
        (f"shop:{ARGON2ID.replace('m=19456', 'm=1234567890')}", "parameters"),
        (f"shop:{ARGON2ID}$more", "form"),
        (f"shop:{ARGON2ID.replace(SALT, 'c2FsdA')}", "short"),
        (f"shop:{ARGON2ID.replace(HASH, 'hunter2!')}", "base64"),
        (f"shop:{SCRYPT.replace('ln=14', 'ln=17')}", "128 MiB"),
        (f"shop:{SCRYPT.replace('ln=14', 'ln=0')}", "parameters"),
        (f"shop:{SCRYPT.replace('ln=14', 'ln=999999999')}", "parameters"),
        (f"shop:{SCRYPT.replace('p=5', 'p=17')}", "parameters"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_fault_and_the_others_count(line: str, reason: str) -> None:
    accounts = parse_accounts(f"first:{{PLAIN}}x\n{line}\nlast:{{PLAIN}}x\n".encode())
    assert set(accounts.passwords) == {"first", "last"}
    (fault,) = accounts.faults
    assert fault.line == 2
    assert reason in fault.reason
    assert fault.remedy
    assert "hunter2" not in repr(accounts)
    assert "shop" not in repr(accounts)


def test_the_first_of_two_lines_with_one_name_counts() -> None:
    accounts = parse_accounts(b"shop:{PLAIN}one\nshop:{PLAIN}two\n")
    assert accounts.passwords == {"shop": Plain(b"one")}
    assert [one.line for one in accounts.faults] == [2]


def test_too_much_or_no_text_is_one_fault() -> None:
    assert [one.line for one in parse_accounts(b"#" * (MAX_TEXT + 1)).faults] == [0]
    assert [one.line for one in parse_accounts(b"\xff").faults] == [0]
    assert parse_accounts(b"").faults == ()


def test_accounts_beyond_the_limit_are_faults() -> None:
    lines = "".join(f"a{number}:{{PLAIN}}x\n" for number in range(MAX_ACCOUNTS + 2))
    accounts = parse_accounts(lines.encode())
    assert len(accounts.passwords) == MAX_ACCOUNTS
    assert [one.line for one in accounts.faults] == [MAX_ACCOUNTS + 1, MAX_ACCOUNTS + 2]


def test_a_password_shows_nothing_of_itself() -> None:
    for password in parse_accounts(f"a:{{PLAIN}}hunter2\nb:{ARGON2ID}\nc:{SCRYPT}".encode()).passwords.values():
        assert "hunter2" not in repr(password)
        assert HASH not in repr(password)
        assert "hhhh" not in repr(password)


@given(
    st.binary(max_size=300) | st.text(alphabet="ab:$={}PLAINscryptargon2id,0123456789\n", max_size=300).map(str.encode)
)
def test_whatever_is_written_is_read_or_a_fault(content: bytes) -> None:
    accounts = parse_accounts(content)
    assert len(accounts.passwords) + len(accounts.faults) <= content.count(b"\n") + 1
