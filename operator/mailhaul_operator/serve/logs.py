"""Log lines as JSON, one a line, on standard error: of the operator itself, of kopf and of every library.

An exception is told by its type and the lines of code that it came through, never by its words: those of a value that
was refused repeat the value. `set_up` is called once, first of all. Nothing fails here.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

LOG = logging.getLogger("mailhaul")
"""The operator's own log; `extra={"fields": {...}}` adds fields to a line."""
LEVELS = ("debug", "info", "warning", "error")
MAX_TEXT = 2000
_QUIET = ("kopf.objects", "aiohttp.access", "asyncio")
_FRAMES = 12


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage()[:MAX_TEXT],
        }
        if record.name != LOG.name:
            line["logger"] = record.name
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            line |= told(record.exc_info[1])
        return json.dumps(line, default=lambda value: f"<{type(value).__name__}>")


def told(error: BaseException) -> dict[str, Any]:
    """Give the type of an exception and where it came from, without its words."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": places}


def set_up(level: str) -> None:
    """Send every log of this process to standard error; libraries only from warnings on, unless `level` is debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.raiseExceptions = False
    LOG.setLevel(level.upper())
    for name in _QUIET if level == "debug" else ():
        logging.getLogger(name).setLevel(logging.INFO)
