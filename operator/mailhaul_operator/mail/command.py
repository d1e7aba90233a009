"""What every command on running relays does alike: it parses its arguments, finds the relay, acts, and prints.

Used by `queue`, `trace`, `suppression` and `replies`. Exit codes: 0 done, 1 a relay could not be asked or said no, 2
wrong arguments.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable

from mailhaul_operator.mail.client import ClientError
from mailhaul_operator.mail.doorways import tell_lost, tell_silent
from mailhaul_operator.mail.target import Doors, add_target, find_doors

Act = Callable[[Doors, argparse.Namespace], int]
"""Does what a command is for with the relay's processes; gives the exit code. Raises ClientError."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which relay, and in which form it is told."""
    add_target(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def parsed(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace | int:
    """Give the options, or the exit code of wrong ones and of `--help`, both of which argparse has told."""
    try:
        return parser.parse_args(arguments)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2


def run(command: str, options: argparse.Namespace, act: Act) -> int:
    """Find the relay and act; what goes wrong is told, a line for each process that gave no good answer."""
    doors = Doors(())
    try:
        doors = find_doors(options, os.environ)
        tell_silent(command, doors)
        code = act(doors, options)
    except ClientError as error:
        sys.stderr.write(f"mailhaul {command}: {error}\n")
        tell_lost(command, doors, error)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    tell_lost(command, doors)
    return code or int(not doors.is_whole)


def print_json(value: object) -> None:
    """Print a document for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
