"""`mailhaul queue`: list, show, export, and every order on the mail of a running relay, in all its replicas.

Called by the console script; `queue_options` has the options, `orders` carries out what changes mail. Exit codes: 0
done, 1 a relay could not be asked or said no, 2 wrong arguments.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mailhaul_operator.mail.client import ClientError, Door, message_path
from mailhaul_operator.mail.command import Act, parsed, print_json, run
from mailhaul_operator.mail.doorways import asked, first_with, pages
from mailhaul_operator.mail.orders import carry_out
from mailhaul_operator.mail.queue_options import parser, query_of, refusal
from mailhaul_operator.mail.target import Doors
from mailhaul_operator.mail.text import message_text, queue_table


def queue(arguments: list[str]) -> int:
    """Run one verb of `mailhaul queue` and give its exit code."""
    options = parsed(parser(), arguments)
    if isinstance(options, int):
        return options
    refused = refusal(options)
    if refused:
        sys.stderr.write(f"mailhaul queue {options.verb}: {refused}\n")
        return 2
    return run("queue", options, _VERBS.get(options.verb, carry_out))


def _list(doors: Doors, options: argparse.Namespace) -> int:
    found = asked(doors, lambda door: _listed(door, options))
    rows = [{**one, "pod": door.pod} if doors.has_pods else one for door, listed in found for one in listed]
    messages = sorted(rows, key=lambda one: str(one["id"]))[: options.limit]
    more = len(rows) > options.limit
    if options.output == "json":
        print_json({"messages": messages, "complete": not more and doors.is_whole})
        return 0
    sys.stdout.write(queue_table(messages))
    if more:
        sys.stdout.write(f"The first {options.limit} are shown; --limit shows more.\n")
    return 0


def _listed(door: Door, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What one process lists, at least one more than the limit where there are more."""
    found: list[dict[str, Any]] = []
    for page in pages(door, "/v1/queue", query_of(options)):
        found += page["messages"]
        if len(found) > options.limit:
            break
    return found[: options.limit + 1]


def _show(doors: Doors, options: argparse.Namespace) -> int:
    door, message = first_with(doors, lambda one: one.get(message_path(options.id)))
    message = {**message, "pod": door.pod} if door.pod else message
    if options.output == "json":
        print_json(message)
    else:
        sys.stdout.write(message_text(message))
    return 0


def _export(doors: Doors, options: argparse.Namespace) -> int:
    """A file that already holds something else is never written over: its name may be a slip."""
    door, _ = first_with(doors, lambda one: one.get(message_path(options.id)))
    path = message_path(options.id, "raw")
    if not options.file:
        door.fetch(path, sys.stdout.buffer.write)
        sys.stdout.flush()
        return 0
    with _new_file(options.file) as file:
        door.fetch(path, file)
    return 0


@contextmanager
def _new_file(path: Path) -> Iterator[Callable[[bytes], object]]:
    """Give what writes into a new file; a part is not left behind, for nobody could tell it from the whole."""
    try:
        with path.open("xb") as file:
            try:
                yield lambda data: _written(file, data, path)
            except ClientError:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise _unwritable(path, error) from None


def _written(file: BinaryIO, data: bytes, path: Path) -> None:
    try:
        file.write(data)
        file.flush()
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> ClientError:
    return ClientError(f"{path} cannot be written: {error.strerror or error}; name another file")


_VERBS: dict[str, Act] = {"list": _list, "show": _show, "export": _export}
