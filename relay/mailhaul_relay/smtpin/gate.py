"""What all clients together, and each by itself, may take of the relay: connections, messages a minute, head memory.

One `ConnectionGate` for all listeners of a process; everything runs on the event loop, so there is no lock. It is asked
before any work is done for a client. Nothing here fails.
"""

from mailhaul_contract.listening import Limits
from mailhaul_relay.smtpin.limits import HEAD_BUDGET


class HeadBudget:
    """The memory for large heads, so that many clients with endless headers are as bounded as one."""

    __slots__ = ("_left",)

    def __init__(self, octets: int = HEAD_BUDGET) -> None:
        self._left = octets

    def take(self, octets: int) -> bool:
        """Reserve; False when it is not there."""
        if octets > self._left:
            return False
        self._left -= octets
        return True

    def give_back(self, octets: int) -> None:
        """Return what was taken."""
        self._left += octets


class ConnectionGate:
    """Counts connections over all listeners and by client, and messages by client and minute."""

    def __init__(self) -> None:
        self.heads = HeadBudget()
        self._total = 0
        self._by_client: dict[str, int] = {}
        self._minute = 0
        self._messages: dict[str, int] = {}

    def enter(self, client: str, limits: Limits) -> str:
        """Count a connection in. Gives "" or the reason of refusal: `connections` or `client-connections`."""
        if self._total >= limits.connections:
            return "connections"
        mine = self._by_client.get(client, 0)
        if mine >= limits.connections_per_client:
            return "client-connections"
        self._total += 1
        self._by_client[client] = mine + 1
        return ""

    def enter_unknown(self, limits: Limits) -> str:
        """Count a connection in whose client is not known yet. It leaves by `leave_unknown`, and may `enter` then."""
        if self._total >= limits.connections:
            return "connections"
        self._total += 1
        return ""

    def leave_unknown(self) -> None:
        """Count a connection out whose client was not known, or is now."""
        self._total -= 1

    def leave(self, client: str) -> None:
        """Count a connection out that was let in."""
        self._total -= 1
        mine = self._by_client[client] - 1
        if mine:
            self._by_client[client] = mine
        else:
            del self._by_client[client]

    def may_send(self, client: str, limits: Limits, now: float) -> bool:
        """Count a message begun at `now` (epoch seconds); False when the client's share of this minute is used."""
        limit = limits.messages_per_minute_per_client
        if not limit:
            return True
        minute = int(now // 60)
        if minute != self._minute:
            # Forgetting every minute bounds the table by the clients of one minute.
            self._minute, self._messages = minute, {}
        used = self._messages.get(client, 0)
        if used >= limit:
            return False
        self._messages[client] = used + 1
        return True
