"""What the command line says of one relay process: where its files lie and where it listens."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Directories:
    """Files of the process. `ready_file` is written once mail is accepted, None for none."""

    config: Path
    secrets: Path
    spool: Path
    ready_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where it listens, and which addresses are the node's own. `bind` "" is every address, IPv4 and IPv6.

    `open_inbox` shows the capture inbox without a token, to who asks for a loopback name.
    """

    bind: str = ""
    http_host: str = ""
    http_port: int = 9090
    nodes: frozenset[str] = frozenset()
    open_inbox: bool = False
