"""TCP ports of loopback that a server of a test can bind in a moment, and no client takes before.

The kernel gives a client that connects any port of its ephemeral range. A port that was asked of the kernel and let go
lies in that range too: another test's connection may hold it when the server binds. These lie below the range. Used by
tests whose server must be told its port; one that tells its port binds port 0 itself. Fails with RuntimeError.
"""

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 12_000
_CHOICE = random.SystemRandom()
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Give as many different ports as asked for; none is given twice in a process. Raises RuntimeError."""
    return [free_port() for _ in range(count)]


def free_port() -> int:
    """Give one port. Raises RuntimeError where the kernel's range begins too low, or all are taken."""
    above = int(_RANGE.read_text(encoding="ascii").split()[0])
    for _ in range(1_000):
        port = _CHOICE.randrange(_LOWEST, above) if above > _LOWEST else 0
        if port and port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port from {_LOWEST} to {above} is free: look at {_RANGE}")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
