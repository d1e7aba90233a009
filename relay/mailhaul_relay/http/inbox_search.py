"""What a list of captured mail was asked for: words, and a place to go on.

`inbox_routes` reads it from a request, `inbox_pages` keeps it in the addresses that it writes. Pure; it fails with
BadRequestError only.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from mailhaul_contract.domains import display_address
from mailhaul_relay.http.mail_words import decoded
from mailhaul_relay.http.messages import BadRequestError, Request
from mailhaul_relay.smtpout.inbox import Captured

MAX_QUERY = 200
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Asked:
    """Words to look for, and the key below which the list goes on, 0 for the newest."""

    query: str = ""
    before: int = 0

    def address(self, path: str, **more: object) -> str:
        """Give an address that keeps what was asked for."""
        fields = {"q": self.query, "before": self.before, **more}
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"{path}?{query}" if query else path

    def fits(self, one: Captured) -> bool:
        """Whether recipients, sender or subject have every word, in any case."""
        words = self.query.casefold().split()
        if not words:
            return True
        addresses = [*one.recipients, one.sender]
        # Domains are A-labels there, and a person types what stands in the mail.
        addresses += [display_address(known) for known in addresses if "xn--" in known]
        text = "\n".join((*addresses, decoded(one.subject))).casefold()
        return all(word in text for word in words)


def asked(request: Request) -> Asked:
    """Read a request. Raises BadRequestError."""
    query = request.query.get("q", "").strip()
    if len(query) > MAX_QUERY:
        raise BadRequestError(f"q takes at most {MAX_QUERY} characters")
    return Asked(query, number(request, "before"))


def number(request: Request, name: str, usual: int = 0) -> int:
    """Read a number of the query. Raises BadRequestError."""
    given = request.query.get(name)
    if given is None:
        return usual
    found = key_of(given)
    if found is None:
        raise BadRequestError(f"{name} takes a number, as the inbox's own links have it")
    return found


def key_of(text: str) -> int | None:
    """Give the number that a text is, None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
