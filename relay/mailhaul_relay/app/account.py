"""`mailhaul relay account`: one line of the Secret with the SMTP accounts, made of a name and a typed password.

Called by `cli`. The password comes from standard input or, at a terminal, is asked for without being shown: an argument
would be in the history of the shell and in the list of processes. Failures: exit code 2 with the reason.
"""

import getpass
import sys

from mailhaul_contract.accounts import MAX_NAME, MAX_PASSWORD, is_account_name
from mailhaul_relay.smtpin.passwords import hashed


def account(name: str) -> int:
    """Print the line. Exit code 2 for a name or password that no account can have."""
    if not is_account_name(name):
        return _refused(f"the name cannot be used: take up to {MAX_NAME} ASCII characters without blanks and colons")
    password = _password().encode()
    if not 0 < len(password) <= MAX_PASSWORD:
        return _refused(f"the password is empty or too long: type 1 to {MAX_PASSWORD} octets")
    sys.stdout.write(f"{name}:{hashed(password)}\n")
    return 0


def _password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")


def _refused(reason: str) -> int:
    sys.stderr.write(f"mailhaul relay account: {reason}\n")
    return 2
