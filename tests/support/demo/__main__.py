"""`python -m tests.support.demo`, called by `make demo`: mail arrives while the first of two providers fails in turn.

Exit code 0 when every mail arrived once, 1 with words when one is missing or doubled or something did not start. All
traffic is on loopback, all files are in a temporary folder, and no cluster is touched.
"""

import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.demo.acts import ACTS
from tests.support.demo.provider import Provider
from tests.support.demo.relay import Relay
from tests.support.demo.stage import DemoError, Stage
from tests.support.free_ports import free_port

PROVIDER_PORT = 2600
"""The port in examples/quickstart; another is taken when it is not free."""
PASSWORD = "only-for-the-demo"


def main() -> int:
    """Play all acts."""
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailhaul-demo-")))
        port = _port()
        provider, relay = Provider(folder, port, PASSWORD), Relay(folder, port)
        stack.callback(provider.stop)
        stack.callback(relay.stop)
        stage = Stage(provider, relay)
        try:
            provider.start()
            relay.start()
            _introduce(stage, port)
            for number, act in enumerate(ACTS, 1):
                stage.title(number, act.__doc__ or act.__name__)
                act(stage)
                stage.status()
            closing = stage.verdict()
        except (DemoError, RuntimeError, OSError) as error:
            sys.stdout.write(f"\nThe demo failed: {error}\n")
            return 1
        except KeyboardInterrupt:
            return 130
    sys.stdout.write(f"\n{closing}; {time.monotonic() - begun:.0f} s.\n")
    return 0


def _introduce(stage: Stage, port: int) -> None:
    host, relay_port = stage.relay.address
    sys.stdout.write(
        "Mailhaul: mail arrives while a provider fails.\n"
        "  $ mailhaul up -f examples/quickstart\n"
        f"  apps send to {host}:{relay_port}; the relay delivers to `provider` (127.0.0.1:{port}, played here, with\n"
        "  faults), and to `inbox`, its own, while the provider cannot take mail.\n"
    )


def _port() -> int:
    try:
        socket.create_server(("127.0.0.1", PROVIDER_PORT)).close()
    except OSError:
        return free_port()
    return PROVIDER_PORT


if __name__ == "__main__":
    sys.exit(main())
