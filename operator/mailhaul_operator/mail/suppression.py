"""`mailhaul suppression`: recipients that a relay refuses at once; list, add, release, in all its replicas.

Each replica has a list of its own, so an order goes to all of them. Exit codes: 0 done, 1 a relay could not be asked or
said no, or nobody had the address; 2 wrong arguments.
"""

import argparse
import sys
from typing import Any

from mailhaul_operator.mail.client import ClientError, Door
from mailhaul_operator.mail.command import add_common, parsed, print_json, run
from mailhaul_operator.mail.doorways import asked, pages
from mailhaul_operator.mail.spans import seconds
from mailhaul_operator.mail.target import Doors
from mailhaul_operator.mail.text import aligned, moment_text

_HEAD = ("ADDRESS", "SINCE", "UNTIL", "WHY")
_YEAR = 31_536_000


def suppression(arguments: list[str]) -> int:
    """Run one verb of `mailhaul suppression` and give its exit code."""
    options = parsed(_parser(), arguments)
    return options if isinstance(options, int) else run("suppression", options, _VERBS[options.verb])


def _list(doors: Doors, options: argparse.Namespace) -> int:
    found = asked(doors, lambda door: _listed(door, options.address))
    rows = [{**one, "pod": door.pod} if doors.has_pods else one for door, listed in found for one in listed]
    if options.output == "json":
        print_json({"recipients": rows})
    elif rows:
        head = ("POD", *_HEAD) if doors.has_pods else _HEAD
        sys.stdout.write(aligned([head, *map(_row, rows)]))
    else:
        sys.stdout.write("Nobody is suppressed.\n")
    return 0


def _listed(door: Door, address: str) -> list[dict[str, Any]]:
    return [one for page in pages(door, "/v1/suppression", {"address": address}) for one in page["recipients"]]


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    pod = (str(one["pod"]),) if "pod" in one else ()
    why = f"by an operator: {one['words'] or 'no reason given'}"
    if not one["byHand"]:
        why = f"{one['failures']} failures, last at {one['upstream']}: {one['words']}"
    return (*pod, one["address"], moment_text(one["since"]), moment_text(one["until"]), why)


def _add(doors: Doors, options: argparse.Namespace) -> int:
    order = {"address": options.address, "lasts": options.lasts, "reason": options.reason}
    asked(doors, lambda door: door.post("/v1/suppression", order))
    _tell(options, {"added": options.address}, f"{options.address} is refused from now on.\n")
    return 0


def _release(doors: Doors, options: argparse.Namespace) -> int:
    answers = asked(doors, lambda door: _released(door, options.addresses))
    released = sorted({name for _, names in answers for name in names})
    if not released:
        raise ClientError("none of these is suppressed; `mailhaul suppression list` shows who is")
    _tell(options, {"released": released}, f"released: {', '.join(released)}\n")
    return 0


def _released(door: Door, addresses: list[str]) -> list[str]:
    return list(map(str, door.post("/v1/suppression/release", {"addresses": addresses})["released"]))


def _tell(options: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    if options.output == "json":
        print_json(document)
    else:
        sys.stdout.write(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "mailhaul suppression", description="Recipients that a relay refuses at once.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    where = argparse.ArgumentParser(add_help=False)
    add_common(where)
    listing = verbs.add_parser("list", parents=[where], allow_abbrev=False, help="who is refused, until when, and why")
    listing.add_argument("--address", default="", metavar="TEXT", help="only addresses with this in them")
    add = verbs.add_parser("add", parents=[where], allow_abbrev=False, help="refuse an address from now on")
    add.add_argument("address", metavar="ADDRESS")
    add.add_argument("--for", dest="lasts", type=_lasts, default=2_592_000, metavar="SPAN", help="(default 30d)")
    add.add_argument("--reason", default="", metavar="TEXT", help="told to whoever sends there")
    release = verbs.add_parser("release", parents=[where], allow_abbrev=False, help="take mail to addresses again")
    release.add_argument("addresses", metavar="ADDRESS", nargs="+")
    return parser


def _lasts(text: str) -> int:
    try:
        span = seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 60 <= span <= _YEAR:
        raise argparse.ArgumentTypeError("takes a span of time from 1m to 365d, such as 12h or 30d")
    return span


_VERBS = {"list": _list, "add": _add, "release": _release}
