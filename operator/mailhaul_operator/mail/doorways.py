"""Ways through a relay's doors that every command takes: page by page, to every process, to the one with a message.

A process that does not answer keeps no other from being asked: it is noted (`Doors.lost`), and told at the end.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from mailhaul_operator.mail.client import ClientError, Door, Query
from mailhaul_operator.mail.target import Doors

PAGE = 500
"""Messages that one request looks at."""
ABSENT = 404
_REFUSALS = frozenset({400, 409})
"""What a process answers that was reached: the order is wrong, or does not fit its message."""
_T = TypeVar("_T")


def pages(door: Door, path: str, query: Query) -> Iterator[dict[str, Any]]:
    """Give the pages of a list to its end. Raises ClientError."""
    following: str | None = None
    while following != "":
        page = door.get(path, {**query, "limit": str(PAGE), "after": following or ""})
        yield page
        following = str(page["next"])


def posted_pages(door: Door, path: str, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give an order page by page to the end. Raises ClientError."""
    following: str | None = None
    while following != "":
        page = door.post(path, {**order, "after": following or ""})
        yield page
        following = str(page["next"])


def asked(doors: Doors, ask: Callable[[Door], _T]) -> list[tuple[Door, _T]]:
    """Ask every process; one that gives no good answer is lost, and the others are asked all the same. Raises the
    first ClientError when none gives one.
    """
    answers = []
    for door in doors.left:
        try:
            answers.append((door, ask(door)))
        except ClientError as error:
            doors.lost[door.pod] = error
    if not answers:
        raise next(iter(doors.lost.values()))
    return answers


def first_with(doors: Doors, ask: Callable[[Door], _T]) -> tuple[Door, _T]:
    """Give the process that has a message, and its answer. One that says that it does not have it (404) gives way to
    the next, one that cannot be asked is lost. Raises ClientError when none has it, or when the one with it says no.
    """
    absent = None
    for door in doors.left:
        try:
            return door, ask(door)
        except ClientError as error:
            if error.status == ABSENT:
                absent = error
            elif error.status in _REFUSALS:
                raise
            else:
                doors.lost[door.pod] = error
    if absent is None:
        raise next(iter(doors.lost.values()), ClientError("there is no pod to ask"))
    if doors.is_whole:
        raise absent
    raise ClientError("no pod that was asked has it; one that was not may have it", ABSENT)


def tell_silent(command: str, doors: Doors) -> None:
    """Say which processes were not asked."""
    for reason in doors.silent:
        sys.stderr.write(f"mailhaul {command}: {reason}\n")


def tell_lost(command: str, doors: Doors, told: ClientError | None = None) -> None:
    """Say which processes gave no good answer, and why; but for what was `told` already, as all is of a relay alone."""
    for pod, error in doors.lost.items():
        if error is not told and (pod or told is None):
            named = f"pod {pod}: " if pod else ""
            sys.stderr.write(f"mailhaul {command}: {named}{error}\n")
