"""Account lines: each is an account or a fault, no fault repeats it, and argon2's own library reads what is taken."""

import argon2

from mailhaul_contract.accounts import (
    MAX_ACCOUNTS,
    MAX_MEMORY,
    MAX_PASSWORD,
    MAX_WORK,
    Argon2id,
    Fault,
    Password,
    Plain,
    Scrypt,
    is_account_name,
    parse_accounts,
)

LONGEST = 700
WORDS = (
    *(b"app:{PLAIN}canary\n", b"$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$", b"$scrypt$ln=14,r=8,p=1$c2FsdHNhbHQ$"),
    *(b"aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g", b"#", b"\r\n", b":", b",", b"m=", b"999999999", b"\xc3\xbc"),
)
_CANARY = "canary"


def check(data: bytes) -> None:
    """Read the octets as the text of a Secret."""
    accounts = parse_accounts(data)
    assert len(accounts.passwords) <= MAX_ACCOUNTS
    lines = data.decode("utf-8", "replace").split("\n")
    assert len(accounts.passwords) + len(accounts.faults) <= len(lines)
    for name, password in accounts.passwords.items():
        assert is_account_name(name)
        _check_password(password)
    for fault in accounts.faults:
        _check_fault(fault, lines)
    assert repr(accounts) == f"Accounts(faults={accounts.faults!r})", "a name or password is shown"
    assert parse_accounts(data) == accounts


def _check_fault(fault: Fault, lines: list[str]) -> None:
    assert 0 <= fault.line <= len(lines)
    assert fault.reason
    assert fault.remedy
    told = f"{fault.reason} {fault.remedy}"
    assert told.isprintable()
    assert _CANARY not in told, "a fault repeats what stands in the line"


def _check_password(password: Password) -> None:
    match password:
        case Plain():
            assert 0 < len(password.password) <= MAX_PASSWORD
            assert b"\n" not in password.password
        case Scrypt():
            memory = 128 * password.r * password.n
            assert memory <= MAX_MEMORY
            assert memory * password.p <= MAX_WORK, "one login could take the processor"
        case Argon2id():
            parameters = argon2.extract_parameters(password.encoded)
            assert parameters.type is argon2.Type.ID
            assert parameters.memory_cost * 1024 <= MAX_MEMORY
            assert parameters.memory_cost * 1024 * parameters.time_cost <= MAX_WORK, (
                "one login could take the processor"
            )
    assert _CANARY not in repr(password), "a password is shown"
