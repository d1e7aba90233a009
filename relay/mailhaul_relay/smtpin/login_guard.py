"""Who may try a password now: failed logins counted by address and by account, in bounded memory.

`logins` asks before each check and tells how it went. Rules:
- An address with too many failures is banned for a while, with whatever name it tries.
- An account with too many failures from addresses that are not its usual ones is banned for such addresses; next to
  where it has logged in before (the same /24, for the addresses of pods change), or in a trusted network, it goes on.
  So a stranger locks nobody out.
- At a usual address an account is judged by its own failures there: not by those of others behind the same address.
- One wrong password counts once, however often it comes: an application whose password is stale guesses nothing.
- A name that no account has is judged as an account is, so that nobody finds out which names there are.
IPv6 clients count by /64, for that is what one customer has. Times are those of the caller's clock, in seconds. All is
forgotten with the process. Nothing here fails.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address

FAILURES = 10
"""Different wrong logins of one address, or of one account at a usual address, within `WINDOW` before the ban."""
ACCOUNT_FAILURES = 20
"""Different wrong passwords of one account from unusual addresses, all together, within `WINDOW` before the ban."""
WINDOW = 600.0
BAN = 600.0
REMEMBERED = 4096
"""Addresses, and usual networks of accounts, that are remembered; the oldest is forgotten."""
STRANGE = "\0"
"""How what stands for names that no account has begins; no account's name does."""

_Key = tuple[str, str]
"""Address and account; either may be "" for all."""


@dataclass(slots=True)
class _Count:
    since: float
    tried: set[bytes] = field(default_factory=set, repr=False)
    banned_until: float = 0.0


class LoginGuard:
    """Counts failures and remembers usual addresses. There is a bounded number of what comes as `account`: the caller
    puts names that no account has together, as `STRANGE` ones; "" is judged by its address only. `typed` is a digest of
    name and password that nobody can reverse.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[_Key, _Count] = OrderedDict()
        # Apart, and never pushed out: whose ban ended early would be known from the others.
        self._of_accounts: OrderedDict[_Key, _Count] = OrderedDict()
        # Apart, so that somebody at a usual address who makes names up pushes nothing else out.
        self._strange: OrderedDict[_Key, _Count] = OrderedDict()
        self._usual: OrderedDict[_Key, None] = OrderedDict()

    def permits(self, address: str, account: str, now: float, *, trusted: bool) -> bool:
        """Whether a password may be tried; `trusted` tells of an address in a trusted network."""
        return not any(self._is_banned(key, now) for key, _ in self._keys(address, account, trusted))

    def is_known_wrong(self, address: str, account: str, now: float, *, trusted: bool, typed: bytes) -> bool:
        """Whether the very same failed here a while ago, so that it need not be checked again."""
        counts = (self._table(key).get(key) for key, _ in self._keys(address, account, trusted))
        return any(one is not None and now - one.since <= WINDOW and typed in one.tried for one in counts)

    def failed(self, address: str, account: str, now: float, *, trusted: bool, typed: bytes) -> bool:
        """Count a wrong password; True when that began a ban."""
        began = [self._count(key, limit, now, typed) for key, limit in self._keys(address, account, trusted)]
        return any(began)

    def succeeded(self, address: str, account: str) -> None:
        """Remember the address as a usual one of the account."""
        key = (_network(address), account)
        self._usual[key] = None
        self._usual.move_to_end(key)
        if len(self._usual) > REMEMBERED:
            self._usual.popitem(last=False)

    def forget(self) -> None:
        """Forget every failure: somebody has changed the accounts."""
        self._counts.clear()
        self._of_accounts.clear()
        self._strange.clear()

    def _keys(self, address: str, account: str, trusted: bool) -> list[tuple[_Key, int]]:
        """What an attempt is judged by, and the failures that it may have there."""
        place = _place(address)
        if account and (trusted or (_network(address), account) in self._usual):
            return [((place, account), FAILURES)]
        keys = [((place, ""), FAILURES)]
        if account:
            keys.append((("", account), ACCOUNT_FAILURES))
        return keys

    def _table(self, key: _Key) -> OrderedDict[_Key, _Count]:
        place, account = key
        if not place:
            return self._of_accounts
        return self._strange if account.startswith(STRANGE) else self._counts

    def _is_banned(self, key: _Key, now: float) -> bool:
        count = self._table(key).get(key)
        return count is not None and now < count.banned_until

    def _count(self, key: _Key, limit: int, now: float, typed: bytes) -> bool:
        table = self._table(key)
        count = table.get(key)
        if count is None or now - count.since > WINDOW:
            count = table[key] = _Count(now)
        table.move_to_end(key)
        if table is not self._of_accounts and len(table) > REMEMBERED:
            table.popitem(last=False)
        count.tried.add(typed)
        if len(count.tried) < limit:
            return False
        count.tried, count.since, count.banned_until = set(), now, now + BAN
        return True


def _place(address: str) -> str:
    """What one client is known by."""
    return address if _is_ipv4(address) else _network(address)


def _network(address: str) -> str:
    """Where addresses are usual together."""
    if _is_ipv4(address):
        return address.rpartition(".")[0]
    try:
        return f"{IPv6Address(int(IPv6Address(address)) >> 64 << 64)}/64"
    except ValueError:
        return address


def _is_ipv4(address: str) -> bool:
    return ":" not in address
