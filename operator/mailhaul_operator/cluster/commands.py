"""Arguments of the commands that speak with a cluster: `status` there, `send-test`; exit codes as everywhere.

Called by `cli` (status) and by the console script.
"""

import argparse
import sys
from collections.abc import Callable

from mailhaul_operator.cluster.kube import KubeError
from mailhaul_operator.cluster.send_test import Order
from mailhaul_operator.cluster.send_test import send_test as sending
from mailhaul_operator.cluster.status import status as asking
from mailhaul_operator.cluster.where import add_where, where

LONGEST = 86_400
"""Seconds that a mail is followed at most."""
_CODES = "exit codes: 0 the provider took it; 1 it did not, or not in time; 2 wrong usage"


def status(options: argparse.Namespace) -> int:
    """`mailhaul status` of a cluster."""
    return _run("status", lambda: asking(where(options), options.output))


def send_test(arguments: list[str]) -> int:
    """`mailhaul send-test ...`: a mail through a relay, followed to the provider's reply."""
    text = "Send a test mail through a relay in the cluster, as an app would, and follow it to the provider's reply."
    parser = argparse.ArgumentParser(prog="mailhaul send-test", description=text, epilog=_CODES)
    parser.add_argument("--relay", required=True, metavar="[NAMESPACE/]NAME", help="the SmtpRelay")
    parser.add_argument("--to", required=True, action="append", metavar="ADDRESS", help="recipient; may be repeated")
    parser.add_argument(
        "--from", dest="sender", default="", metavar="ADDRESS", help="(default: one the relay may send)"
    )
    parser.add_argument("--subject", default="", metavar="TEXT", help="(default: Mailhaul test and an id)")
    parser.add_argument("--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="(default: %(default)s)")
    add_where(parser, all_namespaces=False)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    order = Order(options.relay, tuple(options.to), options.sender, options.subject, options.timeout)
    return _run("send-test", lambda: sending(where(options), order, options.output))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"takes seconds, from 0 to {LONGEST}")
    return seconds


def _run(verb: str, command: Callable[[], int]) -> int:
    try:
        return command()
    except KubeError as error:
        sys.stderr.write(f"mailhaul {verb}: {error}\n")
        return 1
