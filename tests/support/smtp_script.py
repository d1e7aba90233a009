"""What a scripted SMTP server does, as a value: read from JSON, replaced while the server runs.

A step says what happens at one point of the conversation. Its short forms are strings: `"550 5.1.1 no such user"`
answers so, `"hang"` never answers, `"stall"` does not even read, `"drop"` closes, `"reset"` closes with RST.
Its long form has these keys:

    reply       text to answer; lines are parted by a newline and go out with CRLF
    raw         bytes to send as they are (Latin-1), in place of a reply: garbage, unfinished lines, endless ones
    delay       seconds to wait before it
    drip        seconds to wait between the bytes of the answer
    action      "" | "hang" | "stall" | "drop" | "reset": what happens after the answer (at once when there is none)
    extra       raw bytes in the same write after the reply (an injection)
    times       how often the step applies before the usual answer returns; 0 means always

The points are: banner, ehlo, helo, starttls, auth, mail, rcpt, data, content (the first bytes after 354, before the
final dot), dot (after the final dot), after (as soon as the dot was answered), rset, noop, quit.
"""

from dataclasses import dataclass, field
from typing import Any, Self

POINTS = frozenset(
    "banner ehlo helo starttls auth mail rcpt data content dot after rset noop quit".split()  # noqa: SIM905
)
EXTENSIONS = ("PIPELINING", "SIZE 26214400", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
_ACTIONS = frozenset({"hang", "stall", "drop", "reset"})


@dataclass
class Step:
    """One point's behaviour; `times` is counted down by the server."""

    reply: str = ""
    raw: str = ""
    delay: float = 0.0
    drip: float = 0.0
    action: str = ""
    extra: str = ""
    times: int = 0

    @classmethod
    def parse(cls, given: "str | dict[str, Any] | Step") -> Self:
        """Read the short or the long form; raises ValueError on an unknown key or action."""
        if isinstance(given, Step):
            given = vars(given)
        if isinstance(given, str):
            return cls(action=given) if given in _ACTIONS else cls(reply=given)
        unknown = set(given) - set(cls.__dataclass_fields__)
        if unknown or given.get("action", "") not in {"", *_ACTIONS}:
            raise ValueError(f"a step has no {sorted(unknown) or given['action']}; see tests/support/smtp_script.py")
        return cls(**given)

    def answer(self, usual: str) -> bytes:
        """The bytes to send; the usual reply when the step says nothing and lets the conversation go on."""
        if self.raw:
            return self.raw.encode("latin-1")
        text = self.reply or ("" if self.action else usual)
        lines = "".join(f"{line}\r\n" for line in text.split("\n") if text)
        return lines.encode() + self.extra.encode("latin-1")


@dataclass
class Script:
    """A server's whole behaviour. The default takes everything from everybody without TLS or AUTH.

    `connect` is "accept" or "refuse" (nothing listens). `tls` is "none", "starttls" or "implicit". `accounts` maps
    user names to passwords and makes AUTH offered (after STARTTLS when that is on) and required before MAIL.
    `recipients` maps an address to its own reply at RCPT, `senders` to its own at MAIL. `close_after` messages the
    connection is closed (421 to the next MAIL), 0 never; `idle` seconds without a command close it with 421.
    """

    connect: str = "accept"
    extensions: tuple[str, ...] = EXTENSIONS
    tls: str = "none"
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    accounts: dict[str, str] = field(default_factory=dict)
    senders: dict[str, str] = field(default_factory=dict)
    recipients: dict[str, str] = field(default_factory=dict)
    close_after: int = 0
    idle: float = 0.0
    steps: dict[str, Step] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: "dict[str, Any] | Script") -> Self:
        """Read a script from JSON's values; raises ValueError on an unknown key, point or action."""
        values = dict(vars(given)) if isinstance(given, Script) else dict(given)
        steps = {point: Step.parse(step) for point, step in values.pop("steps", {}).items()}
        unknown = (set(values) - set(cls.__dataclass_fields__)) | (set(steps) - POINTS)
        if unknown:
            raise ValueError(f"a script has no {sorted(unknown)}; see tests/support/smtp_script.py")
        for name in ("extensions", "mechanisms"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values, steps=steps)

    def take(self, point: str) -> Step:
        """The step that applies now at a point, counting it."""
        step = self.steps.get(point)
        if step is None:
            return Step()
        if step.times:
            step.times -= 1
            if not step.times:
                del self.steps[point]
        return step
