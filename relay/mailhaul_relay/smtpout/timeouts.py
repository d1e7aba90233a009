"""How long each stage of a conversation may take, as one value that tests and the demo replace.

RFC 5321 section 4.5.3.2 allows minutes for every stage. The defaults are shorter before the message is sent, where
giving up costs nothing and another upstream may be free, and the full ten minutes after the final dot, where giving up
makes a duplicate likely.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for one reply (or one handshake, or one block of content to be taken) at each stage."""

    connect: float = 10.0
    banner: float = 30.0
    ehlo: float = 30.0
    tls: float = 20.0
    auth: float = 30.0
    mail: float = 120.0
    rcpt: float = 120.0
    data: float = 120.0
    block: float = 180.0
    end_of_data: float = 600.0
    quit: float = 1.0

    @classmethod
    def within(cls, reply: float) -> Self:
        """The defaults, with no reply before the message is sent waited for longer than `reply` seconds."""
        usual = cls()
        return cls(
            connect=min(usual.connect, reply),
            banner=min(usual.banner, reply),
            ehlo=min(usual.ehlo, reply),
            tls=min(usual.tls, reply),
            auth=min(usual.auth, reply),
            mail=reply,
            rcpt=reply,
            data=reply,
        )
