"""Which replica this process is: the number at the end of its pod's name, as a StatefulSet gives it.

`app` asks it once, for `queue.ledgers`. It cannot fail: a process without such a name is number 0.
"""

import socket

MOST_DIGITS = 3
"""A Deployment's pods end in five characters of chance, which may all be digits."""


def ordinal(hostname: str) -> int:
    """Give the number in a name like `smtp-relay-2`, 0 when there is none."""
    _, _, number = hostname.partition(".")[0].rpartition("-")
    return int(number) if number.isdecimal() and number.isascii() and len(number) <= MOST_DIGITS else 0


def own_ordinal() -> int:
    """Give this process's own."""
    return ordinal(socket.gethostname())
