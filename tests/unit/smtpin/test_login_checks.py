"""Logins: right and wrong passwords of each form, one check at a time outside of the loop, slow refusals, no leaks."""

import asyncio
import hashlib
import threading

import pytest

from mailhaul_contract.accounts import Argon2id, Password, Plain, Scrypt
from mailhaul_relay.smtpin import logins as module
from mailhaul_relay.smtpin.login_guard import ACCOUNT_FAILURES, FAILURES
from mailhaul_relay.smtpin.logins import SLOWED, STRANGE_NAMES, WAITING, Attempt, Logins, Verdict
from mailhaul_relay.smtpin.passwords import hashed, verify

SALT = b"saltsaltsaltsalt"
SCRYPT = Scrypt(16, 8, 1, SALT, hashlib.scrypt(b"right", salt=SALT, n=16, r=8, p=1, dklen=32))
ACCOUNTS: dict[str, Password] = {"plain": Plain(b"right"), "hashed": SCRYPT}


class Tries:
    """Attempts at one `Logins`, and what became of them."""

    def __init__(self, slowed: float = 0.0) -> None:
        self.logins = Logins(slowed)
        self.accounts: dict[str, Password] = ACCOUNTS

    def begin(
        self, name: str, password: bytes, address: str = "192.0.2.1", trusted: bool = False
    ) -> "asyncio.Future[Verdict]":
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        attempt = Attempt(address, trusted, name, password)
        self.logins.check(attempt, self.accounts, lambda said, _ban: verdict.set_result(said))
        return verdict


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was given to be checked, in order; the checks are done in the thread all the same."""
    given: list[bytes] = []

    def counted(password: Password, octets: bytes) -> bool:
        given.append(octets)
        return verify(password, octets)

    monkeypatch.setattr(module, "verify", counted)
    return given


async def test_the_right_password_of_each_form_is_accepted_and_a_wrong_one_refused() -> None:
    tries = Tries()
    for name in ACCOUNTS:
        assert await tries.begin(name, b"right") is Verdict.ACCEPTED
        assert await tries.begin(name, b"wrong") is Verdict.REFUSED
        assert await tries.begin(name, b"") is Verdict.REFUSED
    tries.logins.close()


@pytest.mark.slow
def test_what_the_command_hashes_is_verified() -> None:
    text = hashed(b"right")
    assert text.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify(Argon2id(text), b"right")
    assert not verify(Argon2id(text), b"wrong")
    assert not verify(Argon2id("$argon2id$v=19$m=8,t=1,p=1$x"), b"right")


def test_scrypt_is_that_of_rfc_7914() -> None:
    # Section 12, the third vector, cut to 32 octets: PBKDF2's first block does not change with the length.
    digest = bytes.fromhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    assert verify(Scrypt(16384, 8, 1, b"SodiumChloride", digest), b"pleaseletmein")


@pytest.mark.looptime
async def test_a_refusal_takes_as_long_for_a_name_that_is_none() -> None:
    loop = asyncio.get_running_loop()
    tries = Tries(SLOWED)
    took = []
    for name in ("plain", "nobody"):
        began = loop.time()
        assert await tries.begin(name, b"wrong") is Verdict.REFUSED
        took.append(loop.time() - began)
    assert took == [pytest.approx(SLOWED)] * 2


@pytest.mark.looptime
async def test_a_name_that_is_none_is_banned_like_an_account_and_no_sooner() -> None:
    loop = asyncio.get_running_loop()
    tries, said, took = Tries(SLOWED), {}, []
    for name in ("plain", "hashed", "nobody"):
        tries.logins._guard.forget()
        said[name] = list[Verdict]()
        for number in range(ACCOUNT_FAILURES + 1):
            began = loop.time()
            said[name].append(await tries.begin(name, b"%d" % number, address=f"198.51.{number}.1"))
            took.append(loop.time() - began)
    assert said["plain"] == said["hashed"] == said["nobody"]
    assert said["nobody"] == [Verdict.REFUSED] * ACCOUNT_FAILURES + [Verdict.BANNED]
    assert took == [pytest.approx(SLOWED, abs=0.1)] * len(took)
    tries.logins.close()


@pytest.mark.parametrize("trusted", [True, False])
async def test_names_that_are_none_are_counted_where_accounts_are(trusted: bool) -> None:
    said = []
    for name in ("plain", "nobody"):
        tries = Tries()
        for number in range(FAILURES):
            await tries.begin(name, b"%d" % number, trusted=trusted)
        said.append([await tries.begin(one, b"more", trusted=trusted) for one in (name, "erp")])
    assert said[0] == said[1]


async def test_names_that_are_none_take_no_memory_without_end() -> None:
    tries = Tries()
    for number in range(3 * STRANGE_NAMES):
        tries.begin(f"nobody{number}", b"", address=f"10.{number >> 8}.{number & 255}.1")
    assert len(tries.logins._guard._of_accounts) <= STRANGE_NAMES
    await asyncio.sleep(0.01)


@pytest.mark.looptime
async def test_when_too_many_wait_every_name_is_told_to_come_again_and_no_sooner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(module, "verify", lambda _password, _given: gate.wait(10))
    loop, tries = asyncio.get_running_loop(), Tries(SLOWED)
    tries.logins._proved["plain"] = (ACCOUNTS["plain"], tries.logins._digest(Attempt("", False, "plain", b"proved")))
    flood = [tries.begin("hashed", b"%d" % number, address=f"10.0.0.{number % 250}") for number in range(WAITING + 1)]
    assert await tries.begin("plain", b"proved") is Verdict.ACCEPTED
    began = loop.time()
    said = [tries.begin(name, b"wrong", address="192.0.2.9") for name in ("plain", "hashed", "nobody")]
    assert await asyncio.gather(*said) == [Verdict.BUSY] * 3
    assert loop.time() - began == pytest.approx(SLOWED, abs=0.1)
    gate.set()
    await asyncio.gather(*flood)
    tries.logins.close()


async def test_a_name_that_is_none_costs_no_hash(checks: list[bytes]) -> None:
    tries = Tries()
    assert await tries.begin("nobody", b"right") is Verdict.REFUSED
    assert not checks


async def test_a_password_that_was_right_is_not_hashed_again(checks: list[bytes]) -> None:
    tries = Tries()
    for _ in range(3):
        assert await tries.begin("hashed", b"right") is Verdict.ACCEPTED
    assert checks == [b"right"]
    tries.logins.close()


async def test_an_application_with_a_stale_password_costs_one_check_and_bans_nobody(checks: list[bytes]) -> None:
    tries = Tries()
    for _ in range(2 * FAILURES):
        assert await tries.begin("hashed", b"stale") is Verdict.REFUSED
    assert checks == [b"stale"]
    assert await tries.begin("hashed", b"right") is Verdict.ACCEPTED
    tries.accounts = {"hashed": Plain(b"stale")}
    assert await tries.begin("hashed", b"stale") is Verdict.ACCEPTED
    tries.logins.close()


async def test_a_changed_account_is_hashed_again(checks: list[bytes]) -> None:
    tries = Tries()
    await tries.begin("hashed", b"right")
    digest = hashlib.scrypt(b"other", salt=SALT, n=16, r=8, p=1, dklen=32)
    tries.accounts = {"hashed": Scrypt(16, 8, 1, SALT, digest)}
    assert await tries.begin("hashed", b"other") is Verdict.ACCEPTED
    assert checks == [b"right", b"other"]
    assert not tries.logins._is_proved(Attempt("", False, "hashed", b"right"), SCRYPT)
    tries.logins.close()


async def test_an_account_that_is_gone_refuses_its_password() -> None:
    tries = Tries()
    await tries.begin("hashed", b"right")
    tries.accounts = {}
    assert await tries.begin("hashed", b"right") is Verdict.REFUSED
    tries.logins.close()


async def test_after_too_many_failures_nothing_is_checked_any_more(checks: list[bytes]) -> None:
    tries = Tries()
    several = [tries.begin("hashed", b"%d" % number) for number in range(FAILURES + 5)]
    verdicts = await asyncio.gather(*several)
    assert verdicts == [Verdict.REFUSED] * FAILURES + [Verdict.BANNED] * 5
    assert len(checks) == FAILURES
    assert await tries.begin("plain", b"right") is Verdict.BANNED
    assert await tries.begin("plain", b"right", address="192.0.2.2") is Verdict.ACCEPTED
    tries.logins.close()


async def test_an_honest_client_does_not_wait_for_the_flood_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Tries()
    await tries.begin("hashed", b"right")
    gate = threading.Event()
    monkeypatch.setattr(module, "verify", lambda _password, _given: gate.wait(10) and False)
    flood = [tries.begin("hashed", b"wrong", address=f"198.51.100.{number}") for number in range(50)]
    assert tries.begin("hashed", b"right").done()
    gate.set()
    await asyncio.gather(*flood)
    tries.logins.close()


async def test_one_check_runs_at_a_time_and_not_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, threads = 0, 0, set()
    lock = threading.Lock()

    def watched(_password: Password, _given: bytes) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threads.add(threading.get_ident())
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(module, "verify", watched)
    tries = Tries()
    await asyncio.gather(*(tries.begin("hashed", b"%d" % number) for number in range(20)))
    assert most == 1
    assert threads.isdisjoint({threading.get_ident()})
    tries.logins.close()


async def test_more_than_may_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(module, "verify", lambda _password, _given: gate.wait(10))
    tries = Tries()
    begun = [tries.begin("hashed", b"%d" % number, address=f"10.0.0.{number % 250}") for number in range(WAITING + 3)]
    await asyncio.sleep(0.01)
    assert [one.result() for one in begun if one.done()] == [Verdict.BUSY] * 2
    gate.set()
    await asyncio.gather(*begun)
    tries.logins.close()


async def test_an_error_of_the_library_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_password: Password, _given: bytes) -> bool:
        raise MemoryError

    monkeypatch.setattr(module, "verify", broken)
    tries = Tries()
    assert await tries.begin("hashed", b"right") is Verdict.BUSY
    tries.logins.close()


def test_an_attempt_shows_nothing_of_what_was_typed() -> None:
    assert "hunter2" not in repr(Attempt("192.0.2.1", False, "hunter2", b"hunter2"))
