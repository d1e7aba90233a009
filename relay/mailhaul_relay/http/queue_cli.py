"""`mailhaul queue`: list, show, retry and drop the mail of a running relay, over HTTP.

`cli` calls `queue`. Exit codes: 0 done, 1 the relay could not be asked or said no, 2 wrong arguments.
"""

import argparse
import json
import os
import sys
from typing import Any

from mailhaul_relay.http.client import ClientError, Relay, message_path
from mailhaul_relay.http.queue_target import DEFAULT_URL, Target, find_relay
from mailhaul_relay.http.queue_text import message_text, queue_table

_STATES = ("queued", "deferred", "held", "dead")


def queue(arguments: list[str]) -> int:
    """Run one verb of `mailhaul queue` and give its exit code."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    if options.verb in {"retry", "drop"} and bool(options.id) == bool(options.state):
        sys.stderr.write(f"mailhaul queue {options.verb}: give a message's ID, or --state for all in a state\n")
        return 2
    target = Target(options.url, options.token_file, options.ready_file, options.relay)
    try:
        relay = find_relay(target, os.environ)
        return int(_VERBS[options.verb](relay, options))
    except ClientError as error:
        sys.stderr.write(f"mailhaul queue: {error}\n")
        return 1
    except BrokenPipeError:
        sys.stdout = None
        return 1


def _list(relay: Relay, options: argparse.Namespace) -> int:
    query = {"state": options.state, "sender": options.sender, "recipient": options.recipient, "limit": "500"}
    messages: list[dict[str, Any]] = []
    following = ""
    while len(messages) < options.limit:
        page = relay.get("/v1/queue", query | {"after": following})
        messages += page["messages"]
        following = page["next"]
        if not following:
            break
    more = bool(following) or len(messages) > options.limit
    messages = messages[: options.limit]
    if options.output == "json":
        _print_json({"messages": messages, "complete": not more})
        return 0
    sys.stdout.write(queue_table(messages))
    if more:
        sys.stdout.write(f"The first {options.limit} are shown; --limit shows more.\n")
    return 0


def _show(relay: Relay, options: argparse.Namespace) -> int:
    message = relay.get(message_path(options.id))
    if options.output == "json":
        _print_json(message)
    else:
        sys.stdout.write(message_text(message))
    return 0


def _retry(relay: Relay, options: argparse.Namespace) -> int:
    order = {"upstream": options.upstream} if options.upstream else {}
    if options.id:
        relay.post(message_path(options.id, "retry"), order)
        return _done(options, 1, 0, "due now")
    return _many(relay, options, "retry", order)


def _drop(relay: Relay, options: argparse.Namespace) -> int:
    if options.id:
        relay.post(message_path(options.id, "drop"), {})
        return _done(options, 1, 0, "dropped")
    return _many(relay, options, "drop", {})


def _many(relay: Relay, options: argparse.Namespace, verb: str, order: dict[str, Any]) -> int:
    """Count first, and ask for --yes before mail is dropped; then page by page."""
    selection = {"state": options.state, "sender": options.sender, "recipient": options.recipient}
    count = _count(relay, selection)
    if verb == "drop" and not options.yes:
        raise ClientError(f"this would drop {count} messages for good; look with `mailhaul queue list`, then add --yes")
    if options.output != "json":
        sys.stdout.write(f"{count} messages are selected.\n")
    body = {**order, "states": options.state.split(","), "sender": options.sender, "recipient": options.recipient}
    done = skipped = 0
    following: str | None = None
    while following != "":
        result = relay.post(f"/v1/queue/{verb}", body | {"after": following or ""})
        done, skipped, following = done + result["done"], skipped + result["skipped"], result["next"]
    return _done(options, done, skipped, "dropped" if verb == "drop" else "due now")


def _count(relay: Relay, selection: dict[str, str]) -> int:
    count, following = 0, None
    while following != "":
        page = relay.get("/v1/queue", selection | {"limit": "500", "after": following or ""})
        count, following = count + len(page["messages"]), str(page["next"])
    return count


def _done(options: argparse.Namespace, done: int, skipped: int, what: str) -> int:
    if options.output == "json":
        _print_json({"done": done, "skipped": skipped})
        return 0
    note = f"; {skipped} were left alone (being delivered now, or partly in another state)" if skipped else ""
    sys.stdout.write(f"{done} {'message is' if done == 1 else 'messages are'} {what}{note}.\n")
    if what == "due now" and done:
        sys.stdout.write("Mail whose upstream takes none now goes on waiting; `mailhaul queue list` shows why.\n")
    return 0


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def _states(text: str) -> str:
    if not text or set(text.split(",")) <= set(_STATES):
        return text
    raise argparse.ArgumentTypeError(f"takes one or more of {', '.join(_STATES)}, separated by commas")


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 100_000:
        return int(text)
    raise argparse.ArgumentTypeError("takes a number from 1 to 100000")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "mailhaul queue", description="Mail in the queue of a running relay.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    where = _where()
    listing = verbs.add_parser("list", parents=[where], allow_abbrev=False, help="what waits, and why")
    listing.add_argument("--limit", type=_limit, default=100, help="at most so many messages (default 100)")
    show = verbs.add_parser(
        "show", parents=[where], allow_abbrev=False, help="one message: envelope, each recipient's fate, head"
    )
    show.add_argument("id", metavar="ID")
    retry = verbs.add_parser(
        "retry", parents=[where], allow_abbrev=False, help="make mail due now; dead letters get a new chance"
    )
    retry.add_argument("--upstream", default="", metavar="NAME", help="through this upstream of the relay")
    drop = verbs.add_parser("drop", parents=[where], allow_abbrev=False, help="remove mail for good")
    drop.add_argument("--yes", action="store_true", help="really drop every message in the states")
    for many in (retry, drop):
        many.add_argument("id", metavar="ID", nargs="?", default="")
    for selecting in (listing, retry, drop):
        selecting.add_argument("--state", type=_states, default="", metavar="STATES", help=", ".join(_STATES))
        selecting.add_argument("--sender", default="", metavar="TEXT", help="only with this in the envelope sender")
        selecting.add_argument("--recipient", default="", metavar="TEXT", help="only with this in a recipient")
    return parser


def _where() -> argparse.ArgumentParser:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--url", default="", help=f"the relay's HTTP address, also MAILHAUL_URL (default {DEFAULT_URL})")
    where.add_argument("--token-file", default="", metavar="FILE", help="file with the API token, else MAILHAUL_TOKEN")
    where.add_argument("--ready-file", default="", metavar="FILE", help="ready file of `mailhaul up`")
    where.add_argument("--relay", default="", metavar="[NS/]NAME", help="which relay of the ready file")
    where.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return where


_VERBS = {"list": _list, "show": _show, "retry": _retry, "drop": _drop}
