"""Ways through a relay's doors that every command takes: page by page, and to the one process that has a message."""

import sys
from collections.abc import Iterator
from typing import Any

from mailhaul_operator.mail.client import ClientError, Door, Query
from mailhaul_operator.mail.target import Doors

PAGE = 500
"""Messages that one request looks at."""


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


def first_with(doors: Doors, path: str) -> tuple[Door, dict[str, Any]]:
    """Give the process that has what a path names, and its answer. Raises the last ClientError when none has."""
    absent = ClientError("there is no pod to ask")
    for door in doors.doors:
        try:
            return door, door.get(path)
        except ClientError as error:
            if error.status != 404:
                raise
            absent = error
    raise absent


def tell_silent(command: str, doors: Doors) -> None:
    """Say which processes were not asked."""
    for reason in doors.silent:
        sys.stderr.write(f"mailhaul {command}: {reason}\n")
