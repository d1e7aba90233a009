"""The options of `mailhaul queue`, and what they say to the relay's HTTP API.

A filter narrows what a list shows and what an order changes. Failures: argparse's, exit code 2.
"""

import argparse
from pathlib import Path
from typing import Any

from mailhaul_operator.mail.client import Query
from mailhaul_operator.mail.command import add_common
from mailhaul_operator.mail.spans import seconds
from mailhaul_operator.mail.target import filled

STATES = ("queued", "deferred", "held", "dead")
ORDERS = {
    "retry": "make mail due now; dead letters get a new life",
    "hold": "let mail wait until a person releases it, whatever else happens",
    "release": "let mail go on that a person holds",
    "move": "send waiting mail through another upstream",
    "bounce": "give waiting mail up as failed: a dead letter, and a report where bounces.mode is Send",
    "drop": "remove mail for good, without a report",
}
DEFAULT_STATES = {
    "retry": ("deferred", "held", "dead"),
    "hold": ("queued", "deferred", "held"),
    "release": ("held",),
    "move": ("queued", "deferred", "held"),
    "bounce": ("queued", "deferred", "held"),
    "drop": STATES,
}
"""What an order means when filters are given and no state."""
TARGETED = frozenset({"retry", "move"})
"""Orders that may name the upstream to be used."""
_FILTERS = ("sender", "recipient", "domain", "through", "fault", "older", "newer")


def parser() -> argparse.ArgumentParser:
    """Give the parser of the command."""
    whole = argparse.ArgumentParser(
        "mailhaul queue", description="Mail in the queue of a running relay.", allow_abbrev=False
    )
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="VERB")
    where = argparse.ArgumentParser(add_help=False)
    add_common(where)
    listing = verbs.add_parser("list", parents=[where], allow_abbrev=False, help="what waits, and why")
    listing.add_argument("--limit", type=_limit, default=100, help="at most so many messages (default 100)")
    _add_filters(listing, targeted=False)
    show = verbs.add_parser("show", parents=[where], allow_abbrev=False, help="envelope, each recipient's fate, head")
    show.add_argument("id", metavar="ID")
    export = verbs.add_parser("export", parents=[where], allow_abbrev=False, help="the message as an .eml file")
    export.add_argument("id", metavar="ID")
    export.add_argument("file", metavar="FILE", nargs="?", type=Path, help="a new file (default: standard output)")
    for verb, text in ORDERS.items():
        _add_order(verbs.add_parser(verb, parents=[where], allow_abbrev=False, help=text), verb)
    return whole


def _add_order(one: argparse.ArgumentParser, verb: str) -> None:
    one.add_argument("ids", metavar="ID", nargs="*", default=[])
    if verb in TARGETED:
        one.add_argument(
            *("--to", "--upstream"),
            dest="upstream",
            type=filled,
            required=verb == "move",
            metavar="NAME",
            help="through this upstream of the relay and no other",
        )
    _add_filters(one, targeted=verb in TARGETED)
    one.add_argument("--dry-run", action="store_true", help="only count")
    one.add_argument("--yes", action="store_true", help="do not ask")


def _add_filters(one: argparse.ArgumentParser, *, targeted: bool) -> None:
    states = f"{', '.join(STATES)}; with commas"
    one.add_argument("--state", type=_states, metavar="STATES", help=states)
    one.add_argument("--sender", type=filled, metavar="TEXT", help="only with this in the envelope sender")
    one.add_argument("--recipient", type=filled, metavar="TEXT", help="only recipients with this in the address")
    one.add_argument("--domain", type=filled, metavar="DOMAIN", help="only recipients in this domain")
    names = ("--through",) if targeted else ("--through", "--upstream")
    one.add_argument(*names, dest="through", type=filled, metavar="NAME", help="only what this upstream had last")
    one.add_argument("--fault", type=filled, metavar="FAULT", help="only with this error class, such as auth or quota")
    one.add_argument("--older", type=_age, default=0, metavar="AGE", help="only accepted longer ago, such as 2h or 3d")
    one.add_argument("--newer", type=_age, default=0, metavar="AGE", help="only accepted since then")


def refusal(options: argparse.Namespace) -> str:
    """Why these options cannot be meant, "" when they can: nobody acts on everything by leaving something out."""
    if options.verb not in ORDERS:
        return ""
    filtered = bool(options.state) or any(getattr(options, name) for name in _FILTERS)
    if bool(options.ids) == filtered:
        return "give IDs of messages, or filters such as --state for all that match; not both"
    return ""


def query_of(options: argparse.Namespace) -> Query:
    """Give the filters as a query."""
    filters = {name: getattr(options, name) for name in _FILTERS}
    return {"state": options.state or ""} | {name: str(value or "") for name, value in filters.items()}


def order_of(options: argparse.Namespace) -> dict[str, Any]:
    """Give the filters of an order as its body."""
    states = options.state.split(",") if options.state else list(DEFAULT_STATES[options.verb])
    filters = {name: getattr(options, name) for name in _FILTERS}
    return {"states": states, **target_of(options), **{name: value for name, value in filters.items() if value}}


def target_of(options: argparse.Namespace) -> dict[str, Any]:
    """Give the upstream that an order names."""
    upstream = getattr(options, "upstream", None)
    return {"upstream": upstream} if upstream else {}


def _states(text: str) -> str:
    if set(text.split(",")) <= set(STATES):
        return text
    raise argparse.ArgumentTypeError(f"takes one or more of {', '.join(STATES)}, separated by commas")


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError("takes a number from 1 to 100000")


def _age(text: str) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
