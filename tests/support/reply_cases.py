"""The verbatim replies of `tests/replies`, for the tests that run each of them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from mailhaul_relay.model.outcome import Fault, Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.replies import ReplyParser

FOLDER = Path(__file__).resolve().parents[1] / "replies"


@dataclass(frozen=True)
class ReplyCase:
    """One reply and what it must mean. `rule` is "" where no row knows it, and for held-out replies."""

    name: str
    profile: str
    stage: Stage
    text: str
    source: str
    verdict: Verdict
    fault: Fault
    rule: str
    context: Context

    @property
    def wire(self) -> bytes:
        """The reply as the server sends it."""
        return "".join(f"{line}\r\n" for line in self.text.split("\n")).encode()

    def reply(self) -> Reply:
        """The reply as the client reads it."""
        (answer,) = ReplyParser().feed(self.wire)
        return answer.reply()


def reply_cases() -> list[ReplyCase]:
    """Read the replies that the table was made from."""
    return [case for path in sorted(FOLDER.glob("*.toml")) for case in _cases(path)]


def held_out_cases() -> list[ReplyCase]:
    """Read the replies on which the table was measured before it was tuned further."""
    return [case for path in sorted((FOLDER / "held-out").glob("*.toml")) for case in _cases(path)]


def _cases(path: Path) -> list[ReplyCase]:
    """Read one file; each reply must name its source."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    cases = []
    for number, given in enumerate(content["reply"], start=1):
        assert given["source"], f"{path.name}: reply {number} names no source"
        sender = given.get("sender", "app@example.com")
        recipients = tuple(given.get("recipients", ["bob@example.net"]))
        cases.append(
            ReplyCase(
                name=f"{path.stem}-{number}-{given['text'].strip()[:24]}",
                profile=content["profile"],
                stage=Stage(given["stage"]),
                text=given["text"].strip(),
                source=given["source"],
                verdict=Verdict(given["verdict"]),
                fault=Fault(given["fault"]),
                rule=given.get("rule", ""),
                context=Context(sender.rpartition("@")[2], sender, recipients),
            )
        )
    return cases
