"""Which unprivileged ports the relays of one `up` listen on.

A Service's port 25 becomes 2525 as in a pod, or the next free one when another program or relay has that. A port once
given stays for the run, so an edit of a file never moves a listener. Failures: `NoPortError`.
"""

import socket
from collections.abc import Callable, Mapping

from mailhaul_contract.names import HTTP_PORT, SMTP_PORTS

_TRIES = 200


class NoPortError(Exception):
    """No free port was found near the one that was wanted."""


def is_free(address: str, port: int) -> bool:
    """Whether nothing listens at this address and port now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def any_port(address: str) -> int:
    """Ask the kernel for a port that is free now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


class Ports:
    """Gives ports. `base` None maps as in a pod; 0 lets the kernel choose; else ports count up from it."""

    def __init__(self, address: str, base: int | None = None, free: Callable[[str, int], bool] = is_free) -> None:
        self._address = address
        self._base = base
        self._free = free
        self._given: dict[tuple[str, int], int] = {}

    def listeners(self, relay: str, wanted: tuple[int, ...]) -> Mapping[int, int]:
        """Give the mapping from Service port to local port for a relay's listeners. Raises NoPortError."""
        return {
            port: self._port(relay, port, SMTP_PORTS.get(port, port if port >= 1024 else port + 2000))
            for port in wanted
        }

    def http(self, relay: str) -> int:
        """Give the port of a relay's health, report and inbox. Raises NoPortError."""
        return self._port(relay, 0, HTTP_PORT)

    def _port(self, relay: str, key: int, preferred: int) -> int:
        given = self._given.get((relay, key))
        if given is None:
            given = self._given[relay, key] = self._choose(preferred)
        return given

    def _choose(self, preferred: int) -> int:
        if self._base == 0:
            return any_port(self._address)
        first = preferred if self._base is None else self._base
        taken = set(self._given.values())
        for port in range(first, min(first + _TRIES, 65536)):
            if port not in taken and self._free(self._address, port):
                return port
        raise NoPortError(f"no free port from {first} on {self._address}; end the other program, or choose --port-base")
