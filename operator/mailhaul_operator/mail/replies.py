"""`mailhaul replies`: what providers answered that no row of the table of replies knows, so that the table can grow.

Each replica has a list of its own; those of all are added up. Exit codes: 0 done, 1 a relay could not be asked, 2 wrong
arguments.
"""

import argparse
import sys
from typing import Any

from mailhaul_operator.mail.command import add_common, parsed, print_json, run
from mailhaul_operator.mail.doorways import asked
from mailhaul_operator.mail.target import Doors
from mailhaul_operator.mail.text import aligned, moment_text

_HEAD = ("PROVIDER", "PROFILE", "STAGE", "REPLY", "COUNT", "FIRST SEEN", "LAST SEEN", "WORDS")
_KIND = ("provider", "profile", "stage", "code", "enhanced", "text")


def replies(arguments: list[str]) -> int:
    """Run `mailhaul replies` and give its exit code."""
    text = (
        "Replies of providers that no rule knows, so that their code alone decided: each kind once, without addresses."
    )
    parser = argparse.ArgumentParser("mailhaul replies", description=text, allow_abbrev=False)
    parser.add_argument("--provider", default="", metavar="NAME", help="only of this UpstreamProvider")
    add_common(parser)
    options = parsed(parser, arguments)
    return options if isinstance(options, int) else run("replies", options, _list)


def _list(doors: Doors, options: argparse.Namespace) -> int:
    query = {"provider": options.provider}
    answers = asked(doors, lambda door: door.get("/v1/replies", query)["replies"])
    found = added_up([one for _, replies in answers for one in replies])
    if options.output == "json":
        print_json({"replies": found})
    elif found:
        sys.stdout.write(aligned([_HEAD, *map(_row, found)]))
    else:
        sys.stdout.write("No provider has said anything that no rule knows.\n")
    return 0


def added_up(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each kind of reply once, those seen most often first."""
    kinds: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in found:
        kind = tuple(one[name] for name in _KIND)
        known = kinds.get(kind)
        kinds[kind] = _both(known, one) if known else one
    return [one for _, one in sorted(kinds.items(), key=lambda item: (-item[1]["count"], item[0]))]


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        **one,
        "count": one["count"] + other["count"],
        "firstSeen": min(one["firstSeen"], other["firstSeen"]),
        "lastSeen": max(one["lastSeen"], other["lastSeen"]),
    }


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    reply = " ".join(part for part in (str(one["code"]), one["enhanced"]) if part)
    times = (moment_text(one["firstSeen"]), moment_text(one["lastSeen"]))
    return (one["provider"], one["profile"], one["stage"], reply, str(one["count"]), *times, one["text"])
