"""Logins of all listeners: asked about the guard, checked one after the other in a thread, slowed when they fail.

One `Logins` for a process; `entrance` gives it each attempt and hears the verdict in the event loop. A password that
was right is known again by a keyed digest for as long as its account stays as it is, so that an application that logs
in for each mail pays for the hash once, and a flood of wrong ones does not keep it waiting; one that was wrong is known
again too. A name that no account has waits, counts and is answered as an account's wrong password is, but for the hash.
What is typed is not logged, and kept as a digest only, whose key is in this process's memory.
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
from mailhaul_relay.smtpin.login_guard import STRANGE, LoginGuard
from mailhaul_relay.smtpin.passwords import is_quick, keep_no_memory, verify

SLOWED = 2.0
"""Seconds from an attempt to its answer when it is not accepted, whatever the reason."""
WAITING = 256
"""Attempts that wait for the thread; more are told to come again."""
STRANGE_NAMES = 4096
"""Names that no account has are counted as so many at most; those that share a count are banned together."""


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
    stored: Password | None
    """None: no account has the name."""
    began: float
    done: Done


class Logins:
    """Checks attempts; what is not accepted is told `slowed` seconds after its attempt."""

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
        one = _Waiting(attempt, accounts.get(attempt.name), asyncio.get_running_loop().time(), done)
        if self._is_known(one):
            return
        if len(self._waiting) >= WAITING:
            self._tell(one, Verdict.BUSY)
        else:
            # Whatever the name is: what had an answer of its own while others wait would tell which names there are.
            self._waiting.append(one)
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

    def _next(self) -> None:
        """Begin the next check unless one is under way. Those that the guard bans meanwhile cost nothing, nor do names
        that no account has.
        """
        while self._waiting and not self._checking:
            one = self._waiting.popleft()
            if self._is_known(one):
                continue
            if one.stored is None:
                self._conclude(one, right=False)
            elif is_quick(one.stored):
                self._conclude(one, right=verify(one.stored, one.attempt.password))
            else:
                self._begin(one, one.stored)

    def _is_known(self, one: _Waiting) -> bool:
        """Whether an attempt needs no check; it is answered then."""
        attempt, now = one.attempt, asyncio.get_running_loop().time()
        account, typed = self._account(attempt.name), self._digest(attempt)
        if not self._guard.permits(attempt.address, account, now, trusted=attempt.trusted):
            self._tell(one, Verdict.BANNED)
        elif self._guard.is_known_wrong(attempt.address, account, now, trusted=attempt.trusted, typed=typed):
            self._conclude(one, right=False)
        elif one.stored is not None and self._is_proved(attempt, one.stored):
            self._conclude(one, right=True)
        else:
            return False
        return True

    def _begin(self, one: _Waiting, stored: Password) -> None:
        self._checking = True
        if self._executor is None:
            keep_no_memory()
            self._executor = ThreadPoolExecutor(1, "logins")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, verify, stored, one.attempt.password)
        future.add_done_callback(lambda ended: self._checked(one, ended))

    def _checked(self, one: _Waiting, ended: "asyncio.Future[bool]") -> None:
        self._checking = False
        if ended.cancelled():
            return
        error = ended.exception()
        if error is not None:
            self._tell(one, Verdict.BUSY)
        else:
            self._conclude(one, right=ended.result())
        self._next()

    def _conclude(self, one: _Waiting, *, right: bool) -> None:
        attempt = one.attempt
        if not right or one.stored is None:
            now, account, typed = asyncio.get_running_loop().time(), self._account(attempt.name), self._digest(attempt)
            ban = self._guard.failed(attempt.address, account, now, trusted=attempt.trusted, typed=typed)
            self._tell(one, Verdict.REFUSED, ban=ban)
            return
        self._proved[attempt.name] = (one.stored, self._digest(attempt))
        self._guard.succeeded(attempt.address, attempt.name)
        one.done(Verdict.ACCEPTED, False)

    def _tell(self, one: _Waiting, verdict: Verdict, *, ban: bool = False) -> None:
        """Answer what was not accepted, whatever the reason, after the same time."""
        loop = asyncio.get_running_loop()
        loop.call_at(max(one.began + self._slowed, loop.time()), one.done, verdict, ban)

    def _account(self, name: str) -> str:
        """What the guard knows a name by; names that no account has by one of so many digests."""
        if name in self._accounts:
            return name
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), key=self._key, digest_size=8).digest()
        return f"{STRANGE}{int.from_bytes(digest) % STRANGE_NAMES}"

    def _is_proved(self, attempt: Attempt, stored: Password) -> bool:
        known = self._proved.get(attempt.name)
        return known is not None and known[0] == stored and hmac.compare_digest(known[1], self._digest(attempt))

    def _digest(self, attempt: Attempt) -> bytes:
        typed = attempt.name.encode("utf-8", "replace") + b"\0" + attempt.password
        return hashlib.blake2b(typed, key=self._key, digest_size=16).digest()
