"""SRS as others understand it: Debian's `srs` (Mail::SRS) reads what we sign, and we read what it signs."""

import shutil
import subprocess
import time

import pytest

from mailhaul_contract.addresses import Address
from mailhaul_relay.policy.srs import HASH_LENGTH, SrsRewriter

SRS = shutil.which("srs")
LONG = f"--hashlength={HASH_LENGTH}"
SECRET = "an interoperable secret"
OURS = SrsRewriter((SECRET.encode(),), "own.example")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(SRS is None, reason="Debian package `srs` is not installed (apt-get install srs)"),
]
SENDERS = ["ann@far.example", "Ann.Example+tag@Far.example", "list-bounces=x=y@far.example", "a/b+c@far.example"]


def srs(*arguments: str, secret: str = SECRET) -> str:
    assert SRS
    ran = subprocess.run(
        [SRS, f"--secret={secret}", LONG, *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    return ran.stdout.strip()


def back(address: str) -> str | None:
    return OURS.reverse(Address.parse(address), time.time())


@pytest.mark.parametrize("sender", SENDERS)
def test_srs_reads_what_we_sign(sender: str) -> None:
    assert srs("--reverse", OURS.forward(sender, time.time())) == str(Address.parse(sender))


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("separator", ["=", "+", "-"])
def test_we_read_what_srs_signs(sender: str, separator: str) -> None:
    signed = srs("--forward", f"--separator={separator}", "--alias=sales@own.example", sender)
    assert back(signed) == str(Address.parse(sender))


def test_both_sign_alike_on_the_same_day() -> None:
    before = OURS.forward("ann@far.example", time.time())
    signed = srs("--forward", "--alias=own.example", "ann@far.example")
    assert signed in {before, OURS.forward("ann@far.example", time.time())}


@pytest.mark.parametrize("separator", ["=", "+", "-"])
def test_a_sender_that_was_rewritten_before_is_guarded_alike(separator: str) -> None:
    first = srs("--forward", f"--separator={separator}", "--alias=first.example", "ann@far.example", secret="theirs")
    ours = OURS.forward(first, time.time())
    theirs = srs("--forward", "--alias=own.example", first)
    assert ours == theirs
    assert srs("--reverse", ours) == back(theirs) == first
    second = srs("--forward", "--alias=second.example", first, secret="second")
    assert OURS.forward(second, time.time()) == srs("--forward", "--alias=own.example", second)


def test_srs_refuses_what_we_signed_with_another_secret() -> None:
    with pytest.raises(subprocess.CalledProcessError, match="255"):
        srs("--reverse", OURS.forward("ann@far.example", time.time()), secret="another")
    assert back(srs("--forward", "--alias=own.example", "ann@far.example", secret="another")) is None
