"""Captured mail for programs, as JSON objects; docs/inbox.md describes their fields.

`inbox_routes` answers with them, `inbox_pages` shows some. Pure.
"""

from typing import TYPE_CHECKING, Any

from mailhaul_relay.http.mail_words import decoded
from mailhaul_relay.smtpout.inbox import Captured

if TYPE_CHECKING:  # what parses mail is loaded when somebody looks
    from mailhaul_relay.http.mail_text import Readable


def message_view(captured: Captured) -> dict[str, Any]:
    """Give one message without what is in it."""
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


def content_view(captured: Captured, content: "Readable") -> dict[str, Any]:
    """Give one message with what is in it; the HTML is the one that the page shows."""
    return message_view(captured) | {
        "headers": [list(one) for one in content.headers],
        "text": content.text,
        "html": content.html,
        "links": list(content.links),
        "attachments": [
            {
                "number": one.number,
                "name": one.name,
                "type": one.content_type,
                "size": one.size,
                "shown": one.is_shown,
            }
            for one in content.attachments
        ],
        "cut": content.cut,
    }
