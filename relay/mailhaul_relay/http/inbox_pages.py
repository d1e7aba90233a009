"""The inbox's pages as HTML, from the templates beside it; and what every answer of the inbox is protected by.

`inbox_routes` asks. The templates escape everything that they are given; the one script and the one style sheet are
files of ours, and the policy lets a browser load nothing else. A mail's own HTML is a page of its own, for a frame that
runs no script, under a policy that has no sources at all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Self
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined

from mailhaul_relay.http.inbox_search import Asked
from mailhaul_relay.http.inbox_views import message_view
from mailhaul_relay.http.mail_text import Readable, readable, source_of
from mailhaul_relay.http.mail_words import decoded
from mailhaul_relay.http.messages import Response
from mailhaul_relay.smtpout.inbox import Captured, Found

TITLES = {"html": "HTML", "text": "Text", "headers": "Headers", "links": "Links", "source": "Source"}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self';"
    " img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
# `sandbox` holds when somebody opens it in a window of its own, too.
_MAIL_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'; sandbox"
)
_ALWAYS = (
    # With `no-referrer` a browser would send our own forms with `Origin: null`.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-DNS-Prefetch-Control", "off"),
)
_MAIL_START = (
    '<!doctype html><html><head><meta charset="utf-8"><title>Message</title><style>html{color-scheme:light;'
    "background:#fff;color:#000;font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}img{max-width:100%}</style>"
)
_ASSETS = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}
_SHOWN_RECIPIENTS = 5
_MAX_FILE_NAME = 100


@dataclass(frozen=True, slots=True)
class Opened:
    """One message that is open, and the view of it, one of `content.views`. `words` are what the text views show."""

    captured: Captured
    content: Readable
    view: str
    words: str

    @classmethod
    def of(cls, captured: Captured, raw: bytes, view: str) -> Self:
        """Read a message; an unknown view gives the best one."""
        content = readable(raw)
        chosen = view if view in content.views else content.views[0]
        return cls(captured, content, chosen, source_of(raw) if chosen == "source" else content.text)


def page(found: Found, asked: Asked, version: str, opened: Opened | None = None, *, is_gone: bool = False) -> Response:
    """Give the page: the list, and beside it the open message, or that it is gone."""
    html = (
        _templates()
        .get_template("page.html")
        .render(
            found=found,
            query=asked.query,
            version=version,
            hint=_hint(found, is_gone=is_gone),
            older=_older(found, asked),
            clear=Asked(asked.query).address("/inbox/delete", upto=found.newest),
            link=lambda key, view="": asked.address(f"/inbox/{key}", view=view),
            to=_to,
            subject=lambda one: decoded(one.subject) or "(no subject)",
            **(_open(opened, asked) if opened else {"mail": None}),
        )
    )
    headers = (("Content-Security-Policy", _PAGE_POLICY), ("X-Frame-Options", "DENY"), *_ALWAYS)
    status = 404 if is_gone else 200
    return Response(status, html.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)


def mail_page(content: Readable) -> Response:
    """Give a mail's HTML as `mail_html` wrote it anew."""
    headers = (("Content-Security-Policy", _MAIL_POLICY), ("X-Frame-Options", "SAMEORIGIN"), *_ALWAYS)
    body = (_MAIL_START + content.html).encode("utf-8", "replace")
    return Response(200, body, "text/html; charset=utf-8", headers)


def asset(name: str) -> Response:
    """Give the page's script or style sheet."""
    return Response(200, _file(name).encode(), _ASSETS[name], _ALWAYS)


def download(content: bytes, name: str, content_type: str = "application/octet-stream") -> Response:
    """Give bytes to be saved, which no browser shows or runs. `name` may come from a stranger."""
    headers = (("Content-Disposition", _disposition(name)), ("Content-Security-Policy", "sandbox"), *_ALWAYS)
    return Response(200, content, content_type, headers)


def _open(opened: Opened, asked: Asked) -> dict[str, object]:
    captured = opened.captured
    return {
        "mail": {
            **message_view(captured),
            "subject": decoded(captured.subject) or "(no subject)",
            "recipients": ", ".join(captured.recipients),
            "sender": captured.sender or "<>",
        },
        "content": opened.content,
        "files": [one for one in opened.content.attachments if not one.is_shown],
        "view": opened.view,
        "titles": TITLES,
        "words": opened.words,
        "back": asked.address("/inbox"),
        "delete": asked.address(f"/inbox/{captured.key}/delete"),
    }


def _hint(found: Found, *, is_gone: bool) -> str:
    if is_gone:
        return "This message is not there any more. The newest 1000 are kept until somebody deletes them."
    return "Choose a message." if found.messages else ""


def _older(found: Found, asked: Asked) -> str:
    """The address of the next page, "" on the last."""
    if not found.has_more:
        return ""
    return Asked(asked.query, found.messages[-1].key).address("/inbox")


def _to(one: Captured) -> str:
    shown = ", ".join(one.recipients[:_SHOWN_RECIPIENTS])
    return shown + (" …" if len(one.recipients) > _SHOWN_RECIPIENTS else "")


def _disposition(name: str) -> str:
    """`attachment` with a name that is only a name, in both forms (RFC 6266)."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = (
        "".join(one for one in last if one.isprintable() and one not in '"%;').strip(" .")[:_MAX_FILE_NAME] or "part"
    )
    ascii_name = plain.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(plain.encode('utf-8', 'replace'), safe='')}"


@cache
def _file(name: str) -> str:
    return (files("mailhaul_relay.http") / "inbox" / name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(
        iso=lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds"),
        clock=lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        size=_size,
    )
    return environment


def _size(octets: int) -> str:
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if octets >= factor:
            return f"{octets / factor:.1f} {unit}"
    return f"{octets} bytes"
