"""The inbox's pages as HTML: plain, without scripts and without one request to anywhere. Everything is escaped."""

from datetime import UTC, datetime
from html import escape

from mailhaul_relay.http.mail_text import Readable, decoded
from mailhaul_relay.http.messages import Response
from mailhaul_relay.smtpout.inbox import Captured

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_SECURITY = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .8rem .3rem 0;vertical-align:top;"
    "border-bottom:1px solid #8884;overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
)


def list_page(messages: tuple[Captured, ...], following: int) -> Response:
    """Give the list, the newest first; `following` is the key to go on below, 0 at the end."""
    rows = "".join(_row(one) for one in messages)
    table = f"<table><tr><th>Time<th>From<th>To<th>Subject<th>Size</tr>{rows}</table>"
    more = f'<p><a href="/inbox?before={following}">Older</a>' if following else ""
    empty = "<p>No mail yet. What an upstream of type capture takes is shown here."
    return _page("Inbox", (table if messages else empty) + more)


def message_page(captured: Captured, content: Readable) -> Response:
    """Give one message: envelope, headers, text, and the names of its other parts."""
    envelope = [
        ("Envelope from", captured.sender or "<>"),
        ("Envelope to", ", ".join(captured.recipients)),
        ("Captured", f"{_time(captured.time)} by {captured.upstream}, id {captured.id}, {captured.size} bytes"),
    ]
    parts = "".join(f"<li>{escape(part)}" for part in content.parts)
    body = (
        f'<p><a href="/inbox">Inbox</a> · <a href="/inbox/{captured.key}/raw">Raw</a>'
        f"{_fields(envelope)}<h2>Headers</h2>{_fields(content.headers)}<h2>Text</h2><pre>{escape(content.text)}</pre>"
        + ("<p>Shown in part; the raw form has all." if content.cut else "")
        + (f"<h2>Other parts</h2><ul>{parts}</ul>" if parts else "")
    )
    return _page(decoded(captured.subject) or "(no subject)", body)


def raw_response(captured: Captured, content: bytes) -> Response:
    """Give the bytes as a download, so that no browser looks into them."""
    name = (("Content-Disposition", f'attachment; filename="{captured.key}.eml"'),)
    return Response(200, content, "message/rfc822", (*_SECURITY, *name))


def message_json(captured: Captured) -> dict[str, object]:
    """Give one row for programs."""
    return {
        "key": captured.key,
        "id": captured.id,
        "time": captured.time,
        "upstream": captured.upstream,
        "sender": captured.sender,
        "recipients": list(captured.recipients),
        "subject": decoded(captured.subject),
        "size": captured.size,
    }


def _row(one: Captured) -> str:
    recipients = ", ".join(one.recipients[:5]) + (" …" if len(one.recipients) > 5 else "")
    subject = escape(decoded(one.subject) or "(no subject)")
    return (
        f"<tr><td>{_time(one.time)}<td>{escape(one.sender or '<>')}<td>{escape(recipients)}"
        f'<td><a href="/inbox/{one.key}">{subject}</a><td>{one.size}</tr>'
    )


def _fields(fields: "list[tuple[str, str]] | tuple[tuple[str, str], ...]") -> str:
    return "<table>" + "".join(f"<tr><th>{escape(name)}<td>{escape(value)}</tr>" for name, value in fields) + "</table>"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _page(title: str, body: str) -> Response:
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)} · Mailhaul</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>\n"
    )
    return Response(200, html.encode("utf-8", "replace"), "text/html; charset=utf-8", _SECURITY)
