"""The bounded set of messages that are being worked on: what bounds the queue's memory, whatever is stored.

`engine` adds and discards. A message that does not fit stays in the spool and is loaded when there is room. A tenth is
a reserve for parties that have a few messages in work only, so that new mail of theirs does not wait behind a long
backlog of somebody else, or of the same giver for another domain. Nothing here can fail.
"""

from mailhaul_relay.model.message import Message
from mailhaul_relay.queue.parties import FEW, Parties

MAX_MESSAGES = 1000
MAX_OCTETS = 24 * 1024 * 1024
"""Bytes of heads and bodies held in memory at once; bodies in files count only their heads."""
_KEPT_FREE = 10
MOST_RESERVED = 2 * FEW
"""Messages that one giver may have in the reserve."""


class ActiveSet:
    """Messages by id, with their weight in memory and their party."""

    def __init__(self, messages: int = MAX_MESSAGES, octets: int = MAX_OCTETS) -> None:
        self._limit, self._octets_limit = messages, octets
        self._common, self._common_octets = messages - messages // _KEPT_FREE, octets - octets // _KEPT_FREE
        self._stored, self._stored_octets = (messages + self._common) // 2, (octets + self._common_octets) // 2
        self._weights: dict[str, tuple[int, str, bool]] = {}
        """By id: octets, party, and whether it is in the reserve."""
        self._parties = Parties(MOST_RESERVED)
        self._octets = 0

    def __len__(self) -> int:
        return len(self._weights)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._weights

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all that is being worked on."""
        return frozenset(self._weights)

    @property
    def room(self) -> int:
        """How many more messages may be begun, whoever gave them; 0 while the bytes in memory are used up."""
        return max(0, self._common - len(self._weights)) if self._octets < self._common_octets else 0

    @property
    def room_for_few(self) -> int:
        """How many more stored messages may be begun of those who do not crowd: half of the reserve is for new mail."""
        return max(0, self._stored - len(self._weights)) if self._octets < self._stored_octets else 0

    @property
    def crowding(self) -> frozenset[str]:
        """The parties and givers that crowd (`Parties`)."""
        return self._parties.crowding

    def fits(self, message: Message) -> bool:
        """Whether a stored message may be begun."""
        return bool(self.room or (self.room_for_few and not self._parties.is_crowding(message.envelope.party)))

    def add(self, message: Message) -> bool:
        """Take a message on; False when there is no room or it is being worked on already."""
        party, reserved = message.envelope.party, not self.room
        if message.id in self._weights or (reserved and not self._has_room_for(party)):
            return False
        weight = len(message.head) + len(message.body.data or b"")
        self._weights[message.id] = weight, party, reserved
        self._parties.enter(party, reserved=reserved)
        self._octets += weight
        return True

    def _has_room_for(self, party: str) -> bool:
        is_free = len(self._weights) < self._limit and self._octets < self._octets_limit
        return is_free and not self._parties.is_crowding(party)

    def claim(self, message_id: str) -> bool:
        """Reserve a message that is not in work; False when it is."""
        if message_id in self._weights:
            return False
        self._weights[message_id] = 0, "", False
        self._parties.enter("")
        return True

    def discard(self, message_id: str) -> None:
        """Let a message go."""
        known = self._weights.pop(message_id, None)
        if known is None:
            return
        weight, party, reserved = known
        self._octets -= weight
        self._parties.leave(party, reserved=reserved)
