"""A session that the relay holds with itself, for a send-test: as an application's, but trusted.

`listener` makes one over a pair of sockets that were connected to each other and have no address. The trust lies in
holding both ends: no peer on loopback or elsewhere can name, guess or choose anything that makes its session this one.
"""

from collections.abc import Callable

from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source
from mailhaul_relay.smtpin.entrance import Entrance
from mailhaul_relay.smtpin.reception import Reception
from mailhaul_relay.smtpin.session import Session

ADDRESS = "127.0.0.1"
"""What Received and the log name as its client."""


class OwnSession(Session):
    """`begun` is told the id of each message before the first byte of it is taken."""

    def __init__(self, reception: Reception, client: str, begun: Callable[[str], None]) -> None:
        super().__init__(reception, client)
        self._begun = begun

    def _opened(self) -> None:
        super(Entrance, self)._opened()  # in clear, whatever clients of the listener speak: nobody is in between

    def _set_rules(self) -> None:
        self._commands = self.commands

    def _judge(self, running: Running) -> Source:  # noqa: ARG002 - whatever the configuration says of loopback
        return Source(ADDRESS, trusted=True)

    async def smtp_DATA(self, argument: str) -> None:
        """Take the message, and tell its id."""
        await super().smtp_DATA(argument)
        if self._receiver is not None:
            self._begun(self.message_id)
