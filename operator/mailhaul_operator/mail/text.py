"""What `mailhaul queue` prints for people: aligned plain text. Words of others are shown without control characters."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

COPY = " (copy for an archive)"
"""Said of a recipient that nobody asked for: one of `spec.senders.alwaysBcc`."""
_HEAD = ("ID", "STATE", "AGE", "NEXT", "TRIES", "SIZE", "FROM", "TO", "LAST WORDS")


def queue_table(messages: Sequence[dict[str, Any]], now: float | None = None) -> str:
    """Give one line for each message below a heading."""
    if not messages:
        return "The queue holds no such mail.\n"
    moment = time.time() if now is None else now
    pods = any(one.get("pod") for one in messages)
    head = ("POD", *_HEAD) if pods else _HEAD
    return aligned([head, *((str(one["pod"]), *_row(one, moment)) if pods else _row(one, moment) for one in messages)])


def message_text(message: dict[str, Any]) -> str:
    """Give one message: envelope, each recipient's fate, and its head."""
    facts = [
        ("Id", message["id"]),
        *([("Pod", message["pod"])] if message.get("pod") else []),
        ("State", f"{message['state']}, held by an operator" if message.get("onHold") else message["state"]),
        ("From", message["sender"] or "<>"),
        ("Accepted", f"{moment_text(message['accepted'])} from {_client(message)}"),
        ("Size", f"{message['size']} bytes"),
    ]
    fates = "".join(_fate(one) for one in message["recipients"])
    return f"{aligned(facts)}\n{fates}\n{safe(message['head'], lines=True)}\n"


def aligned(rows: Iterable[Sequence[object]]) -> str:
    """Give rows of text in columns; the last column is not padded."""
    cells = [[safe(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    return "\n".join(lines) + "\n"


def safe(text: str, *, lines: bool = False) -> str:
    """Give text that a terminal only shows: every character that is not printable becomes `?` (or stays a line end).

    A tab, with which folded header fields begin, is a space.
    """
    if lines:
        return "\n".join(safe(line) for line in text.splitlines())
    return "".join(one if one.isprintable() else " " if one == "\t" else "?" for one in text)


def _row(one: dict[str, Any], now: float) -> tuple[str, ...]:
    more = one["recipientCount"] - 1
    return (
        one["id"],
        one["state"],
        span(now - one["accepted"]),
        "-" if not one["due"] else "now" if one["due"] <= now else f"in {span(one['due'] - now)}",
        str(one["attempts"]),
        _size(one["size"]),
        one["sender"] or "<>",
        one["recipients"][0] + (f" +{more}" if more else ""),
        _why(one)[:100],
    )


def _why(one: dict[str, Any]) -> str:
    words = _last_words(one["upstream"], ": ", one["text"])
    if not one.get("onHold") or words.startswith("held by an operator"):
        return words
    return f"held by an operator; last: {words}" if words else "held by an operator"


def _client(message: dict[str, Any]) -> str:
    account = f" as {message['account']}" if message.get("account") else ""
    return f"{message['client'] or 'the relay itself'}{account}"


def _fate(one: dict[str, Any]) -> str:
    asked, final = one["original"] or one["final"], one["final"]
    way = f" -> {final}" if asked != final else ""
    way += f" (alias {one['alias']})" if one["alias"] else "" if one["original"] else COPY
    attempts = one["attempts"]
    tried = f", {attempts} attempt{'s' * (attempts > 1)}" if attempts else ", not tried"
    due = f", next {moment_text(one['due'])}" if one["due"] else ""
    words = _last_words(one["upstream"] or "relay", f" at {one['stage']}: ", one["text"])
    words = f"    {words}\n" if one["text"] else ""
    pinned = f", only through {one['pinned']}" if one.get("pinned") else ""
    held = " by an operator" if one.get("onHold") else ""
    return (
        safe(f"  {asked}{way}: {one['state']}{held}{tried}{due}{pinned}")
        + "\n"
        + safe(words.rstrip())
        + "\n" * bool(words)
    )


def _last_words(upstream: str, between: str, text: str) -> str:
    """Who said it and what; what the queue says of an upstream that it waits for begins with its name already."""
    return f"{upstream}{between}{text}" if upstream and not text.startswith(f"{upstream}: ") else text


def span(seconds: float) -> str:
    """Give a duration in its largest unit: 12s, 5m, 3h, 2d."""
    whole = max(0, int(seconds))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _size(octets: int) -> str:
    for size, unit in ((1 << 20, "M"), (1 << 10, "K")):
        if octets >= size:
            return f"{octets / size:.1f}{unit}"
    return str(octets)


def moment_text(seconds: float) -> str:
    """Give a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
