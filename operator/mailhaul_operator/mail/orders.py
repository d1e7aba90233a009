"""Carries orders on queued mail out: counts first, asks where a person sits, then acts process by process.

`queue` calls `carry_out`. Orders by filter that give mail up need --yes where nobody can be asked. A process that fails
keeps no other from being ordered. Failures: ClientError, or noted as lost; what was done by then is told.
"""

import argparse
import json
import sys
from dataclasses import dataclass

from mailhaul_operator.mail.client import ClientError, Door, message_path
from mailhaul_operator.mail.doorways import asked, first_with, posted_pages
from mailhaul_operator.mail.queue_options import order_of, target_of
from mailhaul_operator.mail.target import Doors

GIVING_UP = frozenset({"bounce", "drop"})
_WHAT = {
    "retry": "due now",
    "hold": "on hold",
    "release": "released",
    "move": "moved",
    "bounce": "given up as failed",
    "drop": "dropped",
}
_LEFT = "being delivered now, or partly not selected"


@dataclass(frozen=True, slots=True)
class Count:
    """What one process did, or would do."""

    pod: str
    done: int
    skipped: int


def carry_out(doors: Doors, options: argparse.Namespace) -> int:
    """Carry out the order that the options describe; the exit code."""
    return _by_id(doors, options) if options.ids else _by_filter(doors, options)


def _by_id(doors: Doors, options: argparse.Namespace) -> int:
    counts: dict[str, int] = {}
    troubles: dict[str, ClientError] = {}
    for message_id in options.ids:
        try:
            pod = _one(doors, options, message_id)
        except ClientError as error:
            troubles[message_id] = error
        else:
            counts[pod] = counts.get(pod, 0) + 1
    if counts:
        _tell(options, doors, [Count(pod, done, 0) for pod, done in counts.items()], dry=options.dry_run)
    if troubles and len(options.ids) == 1:
        raise troubles[options.ids[0]]
    if troubles:
        raise ClientError("; ".join(f"{message_id}: {error}" for message_id, error in troubles.items()))
    return 0


def _one(doors: Doors, options: argparse.Namespace, message_id: str) -> str:
    """Order it of the process that has the message; its pod."""
    path = message_path(message_id, options.verb)
    order = target_of(options) | ({"dryRun": True} if options.dry_run else {})
    door, _ = first_with(doors, lambda one: one.post(path, order))
    return door.pod


def _by_filter(doors: Doors, options: argparse.Namespace) -> int:
    selected = [count for _, count in asked(doors, lambda door: _count(door, options))]
    total = sum(one.done for one in selected)
    if options.output != "json" and not options.dry_run:
        sys.stdout.write(f"{_messages(total)} {'is' if total == 1 else 'are'} selected{_by_pod(doors, selected)}.\n")
    if options.dry_run or not total:
        _tell(options, doors, selected, dry=options.dry_run)
        return 0
    if not options.yes and not _agreed(options.verb, total):
        return 1
    _tell(options, doors, [_act(doors, door, options) for door in doors.left], dry=False)
    return 0


def _count(door: Door, options: argparse.Namespace) -> Count:
    """What an order would do."""
    done = skipped = 0
    for page in posted_pages(door, f"/v1/queue/{options.verb}", order_of(options) | {"dryRun": True}):
        done, skipped = done + int(page["done"]), skipped + int(page["skipped"])
    return Count(door.pod, done, skipped)


def _act(doors: Doors, door: Door, options: argparse.Namespace) -> Count:
    """Order it of one process; where that fails on the way it is lost, and what was done by then counts."""
    done = skipped = 0
    try:
        for page in posted_pages(door, f"/v1/queue/{options.verb}", order_of(options)):
            done, skipped = done + int(page["done"]), skipped + int(page["skipped"])
    except ClientError as error:
        doors.lost[door.pod] = error
    return Count(door.pod, done, skipped)


def _agreed(verb: str, total: int) -> bool:
    """Ask whoever sits there; where nobody does, only what gives no mail up goes on."""
    if not sys.stdin.isatty():
        if verb in GIVING_UP:
            raise ClientError(
                f"this would {verb} {_messages(total)} for good; look with `mailhaul queue list`, then add --yes"
            )
        return True
    sys.stderr.write(f"{verb} {_messages(total)}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    sys.stderr.write("nothing was changed\n")
    return False


def _tell(options: argparse.Namespace, doors: Doors, counts: list[Count], *, dry: bool) -> None:
    done, skipped = sum(one.done for one in counts), sum(one.skipped for one in counts)
    if options.output == "json":
        pods = {"pods": {one.pod: {"done": one.done, "skipped": one.skipped} for one in counts}}
        told = {
            "done": done,
            "skipped": skipped,
            **({"dryRun": True} if dry else {}),
            **(pods if doors.has_pods else {}),
        }
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return
    note = f"; {skipped} {'would be' if dry else 'were'} left alone ({_LEFT})" if skipped else ""
    verb = "would be" if dry else "is" if done == 1 else "are"
    sys.stdout.write(f"{_messages(done)} {verb} {_WHAT[options.verb]}{_by_pod(doors, counts)}{note}.\n")
    if options.verb == "retry" and done and not dry:
        sys.stdout.write("Mail whose upstream takes none now goes on waiting; `mailhaul queue list` shows why.\n")


def _messages(count: int) -> str:
    return f"{count} message" if count == 1 else f"{count} messages"


def _by_pod(doors: Doors, counts: list[Count]) -> str:
    named = ", ".join(f"{one.pod} {one.done}" for one in counts if one.done)
    return f" ({named})" if doors.has_pods and named else ""
