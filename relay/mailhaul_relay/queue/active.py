"""The bounded set of messages that are being worked on: what bounds the queue's memory, whatever is stored.

`engine` adds and discards. A message that does not fit stays in the spool and is loaded when there is room. Nothing
here can fail.
"""

from mailhaul_relay.model.message import Message

MAX_MESSAGES = 1000
MAX_OCTETS = 24 * 1024 * 1024
"""Bytes of heads and bodies held in memory at once; bodies in files count only their heads."""


class ActiveSet:
    """Messages by id, with their weight in memory."""

    def __init__(self, messages: int = MAX_MESSAGES, octets: int = MAX_OCTETS) -> None:
        self._limit, self._octets_limit = messages, octets
        self._weights: dict[str, int] = {}
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
        """How many more messages may be begun; 0 while the bytes in memory are used up."""
        return self._limit - len(self._weights) if self._octets < self._octets_limit else 0

    def add(self, message: Message) -> bool:
        """Take a message on; False when there is no room or it is being worked on already."""
        if message.id in self._weights or self.room <= 0:
            return False
        weight = len(message.head) + len(message.body.data or b"")
        self._weights[message.id] = weight
        self._octets += weight
        return True

    def claim(self, message_id: str) -> bool:
        """Reserve a message that is not in work; False when it is."""
        if message_id in self._weights:
            return False
        self._weights[message_id] = 0
        return True

    def discard(self, message_id: str) -> None:
        """Let a message go."""
        self._octets -= self._weights.pop(message_id, 0)
