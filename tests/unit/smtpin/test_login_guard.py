"""Who may try a password: bans by address and account, and that a stranger locks nobody out."""

import os

from mailhaul_relay.smtpin.login_guard import (
    ACCOUNT_FAILURES,
    BAN,
    FAILURES,
    REMEMBERED,
    STRANGE,
    WINDOW,
    LoginGuard,
)

STRANGER, HOME, POD = "198.51.100.7", "192.0.2.1", "10.244.1.9"


def fail(guard: LoginGuard, address: str, account: str, times: int, now: float = 0.0, trusted: bool = False) -> bool:
    """Try so many different passwords; True when the last one began a ban."""
    tries = (os.urandom(8) for _ in range(times))
    return [guard.failed(address, account, now, trusted=trusted, typed=one) for one in tries][-1]


def test_an_address_with_too_many_failures_is_banned_for_a_while_whatever_name_it_tries() -> None:
    guard = LoginGuard()
    assert not fail(guard, STRANGER, "", FAILURES - 1)
    assert guard.permits(STRANGER, "shop", 0, trusted=False)
    assert fail(guard, STRANGER, "", 1)
    assert not guard.permits(STRANGER, "", 0, trusted=False)
    assert not guard.permits(STRANGER, "shop", BAN - 1, trusted=False)
    assert guard.permits(STRANGER, "shop", BAN, trusted=False)


def test_others_are_not_banned_with_it() -> None:
    guard = LoginGuard()
    fail(guard, STRANGER, "", FAILURES)
    assert guard.permits(HOME, "shop", 0, trusted=False)


def test_failures_that_are_long_ago_do_not_count() -> None:
    guard = LoginGuard()
    fail(guard, STRANGER, "", FAILURES - 1)
    assert not fail(guard, STRANGER, "", FAILURES - 1, now=WINDOW + 1)


def test_attempts_during_a_ban_do_not_lengthen_it() -> None:
    guard = LoginGuard()
    fail(guard, STRANGER, "", FAILURES)
    assert not guard.permits(STRANGER, "", BAN - 1, trusted=False)
    assert guard.permits(STRANGER, "", BAN + 1, trusted=False)


def test_an_account_under_attack_is_banned_for_new_addresses() -> None:
    guard = LoginGuard()
    for number in range(ACCOUNT_FAILURES):
        fail(guard, f"198.51.100.{number}", "shop", 1)
    assert not guard.permits("203.0.113.5", "shop", 0, trusted=False)
    assert guard.permits("203.0.113.5", "erp", 0, trusted=False)


def test_a_stranger_locks_nobody_out_of_his_usual_address() -> None:
    guard = LoginGuard()
    guard.succeeded(HOME, "shop")
    for number in range(ACCOUNT_FAILURES):
        fail(guard, f"198.51.100.{number}", "shop", 1)
    assert guard.permits(HOME, "shop", 0, trusted=False)
    assert not guard.permits(STRANGER, "shop", 0, trusted=False)


def test_the_neighbourhood_of_a_usual_address_is_usual_too_but_counted_apart() -> None:
    guard = LoginGuard()
    guard.succeeded("10.244.1.9", "shop")
    for number in range(ACCOUNT_FAILURES):
        fail(guard, f"198.51.100.{number}", "shop", 1)
    assert fail(guard, "10.244.1.66", "shop", FAILURES)
    assert not guard.permits("10.244.1.66", "shop", 0, trusted=False)
    assert guard.permits("10.244.1.10", "shop", 0, trusted=False)
    assert not guard.permits("10.244.2.10", "shop", 0, trusted=False)


def test_a_trusted_network_counts_as_usual() -> None:
    guard = LoginGuard()
    for number in range(ACCOUNT_FAILURES):
        fail(guard, f"198.51.100.{number}", "shop", 1)
    assert guard.permits(POD, "shop", 0, trusted=True)


def test_others_behind_a_usual_address_do_not_lock_an_account_out() -> None:
    guard = LoginGuard()
    guard.succeeded(HOME, "shop")
    fail(guard, HOME, "", FAILURES)
    assert not guard.permits(HOME, "", 0, trusted=False)
    assert not guard.permits(HOME, "erp", 0, trusted=False)
    assert guard.permits(HOME, "shop", 0, trusted=False)


def test_a_usual_address_may_not_guess_without_end_either() -> None:
    guard = LoginGuard()
    guard.succeeded(HOME, "shop")
    assert fail(guard, HOME, "shop", FAILURES)
    assert not guard.permits(HOME, "shop", 0, trusted=False)
    assert fail(guard, POD, "erp", FAILURES, trusted=True)
    assert not guard.permits(POD, "erp", 0, trusted=True)


def test_ipv6_counts_by_64() -> None:
    guard = LoginGuard()
    for number in range(FAILURES):
        fail(guard, f"2001:db8:1:2::{number:x}", "", 1)
    assert not guard.permits("2001:db8:1:2:ffff::1", "shop", 0, trusted=False)
    assert guard.permits("2001:db8:1:3::1", "shop", 0, trusted=False)


def test_memory_is_bounded_and_many_addresses_do_not_end_the_ban_of_an_account() -> None:
    guard = LoginGuard()
    for number in range(ACCOUNT_FAILURES):
        fail(guard, f"198.51.100.{number}", "shop", 1)
    for number in range(2 * REMEMBERED):
        fail(guard, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "", 1)
        guard.succeeded(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "erp")
    assert len(guard._counts) <= REMEMBERED
    assert len(guard._usual) <= REMEMBERED
    assert not guard.permits(STRANGER, "shop", 0, trusted=False)


def test_names_that_somebody_at_a_usual_address_makes_up_end_no_ban() -> None:
    guard = LoginGuard()
    fail(guard, STRANGER, "", FAILURES)
    fail(guard, POD, "shop", FAILURES, trusted=True)
    for number in range(2 * REMEMBERED):
        fail(guard, POD, f"{STRANGE}{number}", 1, trusted=True)
    assert len(guard._strange) <= REMEMBERED
    assert not guard.permits(STRANGER, "", 0, trusted=False)
    assert not guard.permits(POD, "shop", 0, trusted=True)


def test_the_same_wrong_password_counts_once_and_is_known_for_a_while() -> None:
    guard = LoginGuard()
    for _ in range(10 * FAILURES):
        assert not guard.failed(POD, "shop", 0, trusted=True, typed=b"stale")
    assert guard.permits(POD, "shop", 0, trusted=True)
    assert guard.is_known_wrong(POD, "shop", WINDOW, trusted=True, typed=b"stale")
    assert not guard.is_known_wrong(POD, "shop", 0, trusted=True, typed=b"other")
    assert not guard.is_known_wrong(POD, "erp", 0, trusted=True, typed=b"stale")
    assert not guard.is_known_wrong(POD, "shop", WINDOW + 1, trusted=True, typed=b"stale")


def test_changed_accounts_end_every_ban() -> None:
    guard = LoginGuard()
    fail(guard, STRANGER, "shop", ACCOUNT_FAILURES)
    guard.forget()
    assert guard.permits(STRANGER, "shop", 0, trusted=False)
