"""Which unprivileged ports the relays of one `up` listen on.

A Service's port 25 becomes 2525 as in a pod, or the next free one when another program or relay has that. A port once
given stays for the run, so an edit of a file never moves a listener. Failures: `NoPortError`.
"""

import errno
import socket
from collections.abc import Callable, Mapping

from mailhaul_contract.names import HTTP_PORT, SMTP_PORTS

_TRIES = 200


class NoPortError(Exception):
    """No free port was found near the one that was wanted, or the address is not of this machine."""


def is_free(address: str, port: int) -> bool:
    """Whether nothing listens at this address and port now. Raises NoPortError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            _refuse_foreign(address, error)
            return False
    return True


def any_port(address: str) -> int:
    """Ask the kernel for a port that is free now. Raises NoPortError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            _refuse_foreign(address, error)
            raise
        return int(probe.getsockname()[1])


def _refuse_foreign(address: str, error: OSError) -> None:
    if error.errno == errno.EADDRNOTAVAIL:
        raise NoPortError(f"{address} is no address of this machine; choose another --bind") from None


class Ports:
    """Gives ports. `base` None maps as in a pod; 0 lets the kernel choose; else ports count up from it."""

    def __init__(self, address: str, base: int | None = None, free: Callable[[str, int], bool] = is_free) -> None:
        self._address = address
        self._base = base
        self._free = free
        self._given: dict[tuple[str, int], int] = {}
        self._moved: list[str] = []

    def moved(self) -> tuple[str, ...]:
        """Tell, once, which ports were taken and what was given instead."""
        told, self._moved = tuple(self._moved), []
        return told

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
                if self._base is None and port != preferred and preferred not in taken:
                    self._moved.append(f"port {preferred} is taken by another program; {port} is used instead")
                return port
        raise NoPortError(f"no free port from {first} on {self._address}; end the other program, or choose --port-base")
