"""What the acts play on: provider, relay, ledger and output. A mail that is missing or doubled ends the demo."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

from tests.support.demo.ledger import Arrival, Mail, missing, surplus, ways
from tests.support.demo.provider import Provider
from tests.support.demo.relay import Relay

ARRIVAL_LIMIT = 12.0
"""Seconds within which a mail must have arrived."""


class DemoError(Exception):
    """Something was not as promised; the text says what."""


class Stage:
    """The running demo."""

    def __init__(self, provider: Provider, relay: Relay) -> None:
        self.provider, self.relay = provider, relay
        self.mails: list[Mail] = []
        self._width = min(shutil.get_terminal_size((110, 24)).columns, 120)
        self._colours = sys.stdout.isatty()

    def title(self, number: int, text: str) -> None:
        """Begin an act."""
        self._say(f"\n{self._bold(f'{number}. {text}')}")

    def tell(self, text: str) -> None:
        """Say what happens now."""
        self._say(textwrap.fill(" ".join(text.split()), self._width, initial_indent="   ", subsequent_indent="   "))

    def send(self, *mails: Mail, by: str) -> None:
        """Send mails as apps do, wait until each is where it belongs, and show by which upstream it came."""
        begun = time.monotonic()
        for mail in mails:
            if any(mail.subject == one.subject for one in self.mails):
                raise DemoError(f"the demo sends {mail.subject!r} twice; give each mail a subject of its own")
            self.mails.append(mail)
            self.relay.send(mail)
        accepted = time.monotonic() - begun
        self.until(lambda: not missing(list(mails), self.arrivals()), lambda: missing(list(mails), self.arrivals()))
        arrived = time.monotonic() - begun
        for mail in mails:
            self._show(mail, by)
        self.tell(f"250 for {_mails(len(mails))} after {accepted * 1000:.0f} ms, arrived after {arrived:.1f} s")

    def until(self, done: Callable[[], bool], otherwise: Callable[[], list[str]], limit: float = ARRIVAL_LIMIT) -> None:
        """Wait for something; DemoError with its reasons when it does not come."""
        end = time.monotonic() + limit
        while not done():
            if time.monotonic() > end:
                raise DemoError(f"after {limit:.0f} s: {'; '.join(otherwise())}\n{self.relay.status()}")
            time.sleep(0.1)

    def upstream(self, name: str) -> dict[str, Any]:
        """Give what the relay reports of one upstream."""
        return next(one for one in self.relay.report()["upstreams"] if one["name"] == name)

    def status(self) -> None:
        """Show the status."""
        self._say(f"   {self._dim('$ mailhaul status')}")
        for line in self.relay.status().splitlines():
            indent = 3 + len(line) - len(line.lstrip())
            folded = textwrap.wrap(line.strip(), self._width - indent - 2) or [""]
            for number, part in enumerate(folded):
                self._say(self._dim(" " * (indent + (2 if number else 0)) + part))

    def arrivals(self) -> list[Arrival]:
        """Give everything that arrived anywhere."""
        return self.provider.arrivals() + self.relay.arrivals()

    def verdict(self) -> str:
        """Judge all of it: each delivery once, nothing left in the queue. Gives the closing line, or DemoError."""
        arrivals = self.arrivals()
        wrong = missing(self.mails, arrivals) + surplus(self.mails, arrivals)
        queue = self.relay.report()["queue"]
        left = {state: queue[state] for state in ("queued", "deferred", "held", "dead") if queue[state]}
        if wrong or left:
            raise DemoError("; ".join([*wrong, *(f"{count} left {state}" for state, count in left.items())]))
        by = {name: sum(one.upstream == name for one in arrivals) for name in ("provider", "inbox")}
        return (
            f"{_mails(len(self.mails))}, {len(arrivals)} deliveries: each arrived once, none is missing or doubled"
            f" ({by['provider']} by provider, {by['inbox']} by inbox)"
        )

    def _show(self, mail: Mail, by: str) -> None:
        found = ways(mail, self.arrivals())
        if found != {by}:
            raise DemoError(f"{mail.subject!r} came by {', '.join(sorted(found))}; it should have come by {by}")
        to = ", ".join(mail.to)
        if set(mail.to) != set(mail.mailboxes):
            to += f" ⇒ {', '.join(mail.mailboxes)}"
        colour = "32" if by == "provider" else "36"
        self._say(f"   {mail.subject:<22} {mail.sender} → {to}  {self._paint(f'[by {by}]', colour)}")

    def _say(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def _bold(self, text: str) -> str:
        return self._paint(text, "1")

    def _dim(self, text: str) -> str:
        return self._paint(text, "2")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text


def _mails(count: int) -> str:
    return f"{count} mail{'' if count == 1 else 's'}"
