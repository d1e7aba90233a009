"""The live table of `up` in a terminal, drawn with rich: relays, upstreams, aliases and what happened last.

Everything shown comes from reports and resources, so each text is drawn as text and never as markup.
"""

import time
from collections import deque
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mailhaul_contract.report import BreakerState, QueueReport, RelayReport, UpstreamReport
from mailhaul_operator.assess.words import reply_words
from mailhaul_operator.local.printable import printable
from mailhaul_operator.local.view import RelayView, alias_rows, upstream_rows

EVENTS: Final = 8
ALIASES: Final = 12
_COLOURS: Final = {BreakerState.CLOSED: "green", BreakerState.HALF_OPEN: "yellow", BreakerState.OPEN: "red"}


class LiveTable:
    """A screen that redraws in place."""

    def __init__(self, console: Console | None = None) -> None:
        self._events: deque[str] = deque(maxlen=EVENTS)
        self._views: tuple[RelayView, ...] = ()
        self._live = Live(console=console or Console(), auto_refresh=False, transient=False)
        self._live.start()

    def tell(self, line: str) -> None:
        """Add a line to what happened last."""
        self._events.append(f"{time.strftime('%H:%M:%S')} {line}")
        self._draw()

    def show(self, views: tuple[RelayView, ...]) -> None:
        """Draw the relays anew."""
        self._views = views
        self._draw()

    def close(self) -> None:
        """Stop drawing; the last picture stays."""
        self._live.stop()

    def _draw(self) -> None:
        self._live.update(picture(self._views, tuple(self._events)), refresh=True)


def picture(views: tuple[RelayView, ...], events: tuple[str, ...]) -> Group:
    """Compose everything that is to be seen."""
    parts: list[RenderableType] = [part for view in views for part in _relay(view)]
    parts.append(_text("\n".join(events), style="dim"))
    parts.append(_text("Ctrl-C stops the relays; the queue is kept.", style="italic dim"))
    return Group(*parts)


def _relay(view: RelayView) -> list[RenderableType]:
    parts: list[RenderableType] = [_headline(view), _where(view), _upstreams(view)]
    if view.config.aliases.entries:
        parts.append(_aliases(view))
    if view.deliveries:
        parts.append(_deliveries(view))
    return parts


def _headline(view: RelayView) -> Text:
    colour = "yellow" if view.verdict is None else "green" if view.verdict.leaves else "red"
    text = Text.assemble((view.key, "bold"), "  ", (printable(view.headline), colour))
    for cause in view.verdict.causes if view.verdict else ():
        text.append(printable(f"\n  {cause.words}\n    remedy: {cause.remedy}"), "red" if cause.blocks else "yellow")
    return text


def _where(view: RelayView) -> Text:
    queue = view.report.queue if isinstance(view.report, RelayReport) else QueueReport()
    ports = "  ".join(f"{one.name} {one}" for one in view.listeners)
    inbox = f"  inbox {view.inbox}" if view.inbox else ""
    waits = f"queued {queue.queued}  deferred {queue.deferred}  held {queue.held}  dead {queue.dead}"
    return _text(f"  {ports}  http {view.http}{inbox}\n  {waits}", "cyan")


def _upstreams(view: RelayView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for title in ("  upstream", "endpoint", "breaker", "delivered", "last reply"):
        table.add_column(title, overflow="fold", justify="right" if title == "delivered" else "left")
    for one in upstream_rows(view):
        state = _text(str(one.breaker), _COLOURS[one.breaker])
        cells = (_text(f"  {one.name}"), _text(one.endpoint or one.provider), state)
        table.add_row(*cells, _text(str(one.delivered)), _text(_last_reply(one)))
    return table


def _aliases(view: RelayView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for title in ("  alias", "addresses", "leads to", "forwarded", "failed"):
        table.add_column(title, overflow="fold", justify="right" if title in {"forwarded", "failed"} else "left")
    rows = alias_rows(view)
    for row in rows[:ALIASES]:
        counts = (_text(str(row.counts.forwarded)), _text(str(row.counts.failed)))
        table.add_row(
            _text(f"  {row.key}"), _text(", ".join(row.addresses)), _text(", ".join(row.destinations)), *counts
        )
    if len(rows) > ALIASES:
        table.add_row(_text(f"  and {len(rows) - ALIASES} more"))
    return table


def _deliveries(view: RelayView) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for title in ("  last deliveries (UTC)", "to", "by"):
        table.add_column(title, overflow="fold")
    for one in view.deliveries:
        by_way_of = f"{one.original} ⇒ " if one.original else ""
        table.add_row(_text(f"  {one.time}"), _text(f"{by_way_of}{one.recipient}"), _text(one.upstream))
    return table


def _last_reply(upstream: UpstreamReport) -> str:
    return reply_words(upstream.last_reply) if upstream.last_reply else ""


def _text(text: str, style: str = "") -> Text:
    return Text(printable(text), style)
