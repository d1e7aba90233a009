"""`mailhaul trace ID`: the whole story of one message, also of one that has left: from whom it came, how it was
rewritten, each attempt with the replies, what people did with it, and its end.

The relay's own history answers (`GET /v1/messages/ID`); in a cluster every pod is asked. Exit codes: 0 known, 1 nobody
knows it or a relay could not be asked, 2 wrong arguments.
"""

import argparse
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from mailhaul_operator.mail.command import add_common, parsed, print_json, run
from mailhaul_operator.mail.doorways import first_with
from mailhaul_operator.mail.target import Doors
from mailhaul_operator.mail.text import COPY, moment_text, safe

_DONE = {
    "retry": "made due",
    "hold": "put on hold",
    "release": "released",
    "move": "moved",
    "bounce": "given up",
    "drop": "dropped",
    "rewrite": "rewritten",
    "prune": "pruned: kept as a dead letter for as long as configured",
}


def trace(arguments: list[str]) -> int:
    """Run `mailhaul trace` and give its exit code."""
    text = "Tell the whole story of one message: where it came from, every attempt with the replies, and its end."
    parser = argparse.ArgumentParser("mailhaul trace", description=text, allow_abbrev=False)
    parser.add_argument("id", metavar="ID", help="from the 250, a log line, or `mailhaul queue list`")
    add_common(parser)
    options = parsed(parser, arguments)
    return options if isinstance(options, int) else run("trace", options, _tell)


def _tell(doors: Doors, options: argparse.Namespace) -> int:
    path = f"/v1/messages/{quote(options.id, safe='')}"
    door, message = first_with(doors, lambda one: one.get(path))
    message = {**message, "pod": door.pod} if door.pod else message
    if options.output == "json":
        print_json(message)
    else:
        sys.stdout.write(story_text(message))
    return 0


def story_text(message: dict[str, Any]) -> str:
    """Give the story, one line or more for each event, the oldest first."""
    events = [(float(message["accepted"] or 0), 0, _accepted(message))] if message.get("accepted") else []
    events += [(float(one["time"]), 1, _attempt(one, message)) for one in message.get("attempts", [])]
    events += [(float(one["time"]), 2, _order(one)) for one in message.get("orders", [])]
    pod = f" in pod {message['pod']}" if message.get("pod") else ""
    lines = [f"{message['id']}: {message['state']}{pod}"]
    for time, _, told in sorted(events):
        first, *others = told
        lines += [f"{moment_text(time)}  {first}", *(f"    {one}" for one in others)]
    lines += _end(message)
    return safe("\n".join(lines), lines=True) + "\n"


def _accepted(message: dict[str, Any]) -> list[str]:
    client = message.get("client") or "the relay itself"
    helo = f", HELO {message['helo']}" if message.get("helo") else ""
    account = f", account {message['account']}" if message.get("account") else ""
    count = message.get("recipientCount") or len(message["recipients"])
    recipients = f"{count} recipient{'s' * (count != 1)}"
    head = f"accepted from {client}{helo}{account}, as {message.get('origin') or 'mail'}"
    return [head, f"sender {_bracketed(message.get('sender'))}, {recipients}, {message.get('size')} bytes"]


def _attempt(one: dict[str, Any], message: dict[str, Any]) -> list[str]:
    endpoint = f" ({one['endpoint']})" if one.get("endpoint") else ""
    route = f", route {one['route']}" if one.get("route") else ""
    lines = [f"tried through {one['upstream']}{endpoint}{route}"]
    sender = one.get("sender")
    if one.get("endpoint") and sender is not None and sender != message.get("sender"):
        lines.append(f"left with sender {_bracketed(sender)}")
    if one.get("fromDomain"):
        given = message.get("fromDomain")
        was = f", rewritten from {given}" if given and given != one["fromDomain"] else ""
        lines.append(f"From domain {one['fromDomain']}{was}")
    return lines + [part for outcome in one.get("outcomes", []) for part in _outcome(outcome, message)]


def _outcome(one: dict[str, Any], message: dict[str, Any]) -> Iterator[str]:
    known = next((to for to in message["recipients"] if to["address"] == one["address"]), None)
    asked = _asked(known) if known else one["address"]
    way = f"{asked} -> {one['address']}" if known and known["original"] not in {"", one["address"]} else asked
    fault = f" ({one['fault']})" if one.get("fault") not in {None, "", "none"} else ""
    yield f"{way}: {one.get('verdict') or 'last'} at {one.get('stage') or '-'}{fault}: {one.get('reply') or 'no reply'}"
    if one.get("remedy"):
        yield f"  remedy: {one['remedy']}"


def _order(one: dict[str, Any]) -> list[str]:
    detail = f" ({one['detail']})" if one.get("detail") else ""
    return [f"{_DONE.get(one['verb'], one['verb'])}{detail}"]


def _end(message: dict[str, Any]) -> list[str]:
    lines = []
    for one in message["recipients"]:
        due = f", next attempt {moment_text(one['nextAttempt'])}" if one.get("nextAttempt") else ""
        words = f": {one['text']}" if one.get("text") else ""
        held = " by an operator" if one.get("fault") == "operator" and one["state"] == "held" else ""
        lines.append(f"  {_asked(one)}: {one['state']}{held}{due}{words}")
    return lines


def _asked(one: dict[str, Any]) -> str:
    """Whom the client asked for; nobody did where a copy goes to an archive."""
    return str(one["original"]) if one.get("original") else f"{one['address']}{COPY}"


def _bracketed(address: object) -> str:
    return f"<{address or ''}>"
