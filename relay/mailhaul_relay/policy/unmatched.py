"""Replies of one provider that no row of the table of replies knows: one entry of each kind, counted, bounded.

`queue.reply_book` keeps one value for each provider. The words are without what belongs to one mail
(`smtpout.reply_shape`). At `MOST` kinds the one that was seen least recently makes room. Pure; a stored form that
cannot be read is empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from mailhaul_relay.model.outcome import Outcome, Reply

MOST = 200
"""Kinds of one provider."""
MAX_TEXT = 512
"""Characters of the words."""
FORGOTTEN = 7_776_000.0
"""Seconds after which a kind that was not seen again is forgotten: 90 days."""


class Kind(NamedTuple):
    """What makes two replies the same: the stage of the conversation, the codes and the words."""

    profile: str
    stage: str
    code: int
    enhanced: str
    text: str

    @classmethod
    def of(cls, profile: str, outcome: Outcome, reply: Reply, text: str) -> Self:
        """Give the kind of a reply, in words of no mail."""
        return cls(profile, outcome.stage.value, reply.code, reply.enhanced, text)


class Seen(NamedTuple):
    """How often, and when for the first and the last time in epoch seconds."""

    times: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Unmatched:
    """The kinds that a provider said, the one seen least recently first."""

    kinds: Mapping[Kind, Seen] = field(default_factory=dict)

    def after(self, kind: Kind, now: float) -> "Unmatched":
        """Give what is known after one more reply."""
        kinds = dict(self.kinds)
        before = kinds.pop(kind, Seen(0, now, now))
        kinds[kind] = Seen(before.times + 1, before.first, now)
        if len(kinds) > MOST:
            del kinds[next(iter(kinds))]
        return Unmatched(kinds)

    def to_json(self) -> dict[str, Any]:
        """Give the form that is remembered."""
        return {"kinds": [[*kind, *seen] for kind, seen in self.kinds.items()]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], now: float) -> Self:
        """Read what was remembered, perhaps by another version, but for what is long ago."""
        try:
            entries = [_entry(one) for one in list(data.get("kinds", ()))[:MOST]]
        except (ValueError, TypeError, OverflowError):
            return cls()
        return cls({kind: seen for kind, seen in entries if now - seen.last < FORGOTTEN})


def _entry(data: Any) -> tuple[Kind, Seen]:  # noqa: ANN401 - JSON
    profile, stage, code, enhanced, text, count, first, last = data
    kind = Kind(str(profile)[:63], str(stage)[:16], int(code), str(enhanced)[:16], str(text)[:MAX_TEXT])
    return kind, Seen(int(count), float(first), float(last))
