"""Logins of all listeners: asked about the guard, checked one after the other in a thread, slowed when they fail.

One `Logins` for a process; `entrance` gives it each attempt and hears the verdict in the event loop. A password that
was right is known again by a keyed digest for as long as its account stays as it is, so that an application that logs
in for each mail pays for the hash once, and a flood of wrong ones does not keep it waiting; one that was wrong is known
again too. A name that no account has takes as long to be refused as a wrong password. What is typed is not logged, and
kept as a digest only, whose key is in this process's memory.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from mailhaul_contract.accounts import Password
from mailhaul_relay.smtpin.login_guard import LoginGuard
from mailhaul_relay.smtpin.passwords import is_quick, keep_no_memory, verify

SLOWED = 2.0
"""Seconds from an attempt to its refusal, whatever was wrong."""
WAITING = 256
"""Attempts that wait for the thread; more are told to come again."""


class Verdict(StrEnum):
    """How a login went: the label of its metric."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    BANNED = "banned"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody tried. `trusted` tells of an address in a trusted network."""

    address: str
    trusted: bool
    name: str = field(repr=False)
    password: bytes = field(repr=False)


Done = Callable[[Verdict, bool], None]
"""Hears the verdict, and whether this failure began a ban."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    attempt: Attempt
    stored: Password
    began: float
    done: Done


class Logins:
    """Checks attempts; a refusal comes `slowed` seconds after its attempt."""

    def __init__(self, slowed: float = SLOWED) -> None:
        self._slowed = slowed
        self._guard = LoginGuard()
        self._key = secrets.token_bytes(32)
        self._proved: dict[str, tuple[Password, bytes]] = {}
        self._waiting: deque[_Waiting] = deque()
        self._executor: ThreadPoolExecutor | None = None
        self._checking = False
        self._accounts: Mapping[str, Password] = {}

    def check(self, attempt: Attempt, accounts: Mapping[str, Password], done: Done) -> None:
        """Judge an attempt; `done` hears the verdict, at once or later, always in the event loop."""
        self._follow(accounts)
        began = asyncio.get_running_loop().time()
        stored = accounts.get(attempt.name)
        if not self._permits(attempt, known=stored is not None):
            done(Verdict.BANNED, False)
        elif stored is None or self._is_known_wrong(attempt):
            self._fail(attempt, "" if stored is None else attempt.name, began, done)
        elif self._is_proved(attempt, stored) or is_quick(stored):
            right = not is_quick(stored) or verify(stored, attempt.password)
            self._conclude(_Waiting(attempt, stored, began, done), right=right)
        elif len(self._waiting) >= WAITING:
            done(Verdict.BUSY, False)
        else:
            self._waiting.append(_Waiting(attempt, stored, began, done))
            self._next()

    def close(self) -> None:
        """Check no more; a check under way ends by itself."""
        self._waiting.clear()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _follow(self, accounts: Mapping[str, Password]) -> None:
        """Somebody who changes the accounts mends something: every ban ends, and what was proved counts no more."""
        if accounts is not self._accounts:
            if accounts != self._accounts:
                self._guard.forget()
                self._proved = {name: one for name, one in self._proved.items() if accounts.get(name) == one[0]}
            self._accounts = accounts

    def _permits(self, attempt: Attempt, *, known: bool) -> bool:
        now = asyncio.get_running_loop().time()
        return self._guard.permits(attempt.address, attempt.name if known else "", now, trusted=attempt.trusted)

    def _next(self) -> None:
        """Begin the next check unless one is under way. Those that the guard bans meanwhile cost nothing."""
        while self._waiting and not self._checking:
            one = self._waiting.popleft()
            if not self._permits(one.attempt, known=True):
                one.done(Verdict.BANNED, False)
            elif self._is_known_wrong(one.attempt):
                self._conclude(one, right=False)
            elif self._is_proved(one.attempt, one.stored):
                self._conclude(one, right=True)
            else:
                self._begin(one)

    def _begin(self, one: _Waiting) -> None:
        self._checking = True
        if self._executor is None:
            keep_no_memory()
            self._executor = ThreadPoolExecutor(1, "logins")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, verify, one.stored, one.attempt.password)
        future.add_done_callback(lambda ended: self._checked(one, ended))

    def _checked(self, one: _Waiting, ended: "asyncio.Future[bool]") -> None:
        self._checking = False
        if ended.cancelled():
            return
        error = ended.exception()
        if error is not None:
            one.done(Verdict.BUSY, False)
        else:
            self._conclude(one, right=ended.result())
        self._next()

    def _conclude(self, one: _Waiting, *, right: bool) -> None:
        attempt = one.attempt
        if not right:
            self._fail(attempt, attempt.name, one.began, one.done)
            return
        if not is_quick(one.stored):
            self._proved[attempt.name] = (one.stored, self._digest(attempt))
        self._guard.succeeded(attempt.address, attempt.name)
        one.done(Verdict.ACCEPTED, False)

    def _fail(self, attempt: Attempt, account: str, began: float, done: Done) -> None:
        loop = asyncio.get_running_loop()
        typed = self._digest(attempt)
        ban = self._guard.failed(attempt.address, account, loop.time(), trusted=attempt.trusted, typed=typed)
        loop.call_at(max(began + self._slowed, loop.time()), done, Verdict.REFUSED, ban)

    def _is_known_wrong(self, attempt: Attempt) -> bool:
        now, typed = asyncio.get_running_loop().time(), self._digest(attempt)
        return self._guard.is_known_wrong(attempt.address, attempt.name, now, trusted=attempt.trusted, typed=typed)

    def _is_proved(self, attempt: Attempt, stored: Password) -> bool:
        known = self._proved.get(attempt.name)
        return known is not None and known[0] == stored and hmac.compare_digest(known[1], self._digest(attempt))

    def _digest(self, attempt: Attempt) -> bytes:
        typed = attempt.name.encode("utf-8", "replace") + b"\0" + attempt.password
        return hashlib.blake2b(typed, key=self._key, digest_size=16).digest()
