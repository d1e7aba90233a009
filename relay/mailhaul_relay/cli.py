"""The relay's commands: arguments in, exit code out. `mailhaul_contract.console` calls them.

Nothing is decided here; `app` runs the relay.
"""

import argparse
import sys
from pathlib import Path

GRACE = 20.0
"""Seconds that sessions and attempts under way get at a stop; below Kubernetes' 30 of a pod."""


def relay(arguments: list[str]) -> int:
    """`mailhaul relay serve ...`: run one relay until SIGTERM. Exit code 0 after a clean stop, 1 when it cannot run.

    `mailhaul relay account NAME`: print the line of an SMTP account.
    """
    options = _relay_parser().parse_args(arguments)
    if options.verb == "account":
        from mailhaul_relay.app.account import account  # noqa: PLC0415 - as below

        return account(options.name)
    from mailhaul_relay.app.gateways import gateways  # noqa: PLC0415 - `--help` should not load the relay
    from mailhaul_relay.app.options import Addresses, Directories  # noqa: PLC0415
    from mailhaul_relay.app.process import serve  # noqa: PLC0415

    http_host, http_port = options.http_bind
    nodes = frozenset(one for text in options.node_address for one in text.split(",") if one)
    addresses = Addresses(options.bind, http_host, http_port, nodes and nodes | gateways(), options.open_inbox)
    directories = Directories(options.config, options.secrets, options.spool, options.ready_file)
    return serve(directories, addresses, options.grace)


def _relay_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mailhaul relay", description="Run one mail relay.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    serve = verbs.add_parser("serve", help="accept, keep and deliver mail until SIGTERM", description=_SERVE)
    serve.add_argument("--config", type=Path, required=True, help="the relay's configuration, relay.v1.json")
    serve.add_argument("--secrets", type=Path, required=True, help="directory with one file for each secret")
    serve.add_argument(
        "--spool", type=Path, default=Path("/var/spool/mailhaul"), help="the queue (default: %(default)s)"
    )
    serve.add_argument("--bind", default="", help="address of the mail listeners (default: all, IPv4 and IPv6)")
    serve.add_argument(
        "--http-bind",
        type=_address,
        default=("", 9090),
        metavar="[HOST]:PORT",
        help="health and metrics (default: :9090)",
    )
    serve.add_argument("--ready-file", type=Path, help="write addresses and process id here once mail is accepted")
    serve.add_argument(
        "--node-address",
        action="append",
        default=[],
        metavar="IP[,IP]",
        help="addresses of this node: never a client's own; next hops of this host's routes are then counted too",
    )
    serve.add_argument(
        "--open-inbox", action="store_true", help="show the capture inbox without a token (loopback only)"
    )
    serve.add_argument("--grace", type=float, default=GRACE, help="seconds for what is under way at a stop")
    account = verbs.add_parser("account", help="print the line of an SMTP account", description=_ACCOUNT)
    account.add_argument("name", help="what clients log in as")
    return parser


_ACCOUNT = """Read a password from standard input, or ask for it at a terminal, and print the account's line with an
argon2id hash, for the Secret that spec.clients.accounts of an SmtpRelay names."""
_SERVE = """Accept mail on the configured listeners, keep it in the spool, and deliver it to the upstreams.
Configuration and secrets are read again when their files change."""


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT; write for example 127.0.0.1:9090 or :9090")
    return host.strip("[]"), int(port)


if __name__ == "__main__":
    sys.exit(relay(sys.argv[1:]))
