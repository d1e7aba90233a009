"""Recipients that are refused at once, since they failed permanently several times or a person said so.

`queue.suppressor` keeps a record for each address and gives `admission` those that refuse now (`Running.suppressed`).
Whoever asked for an address hears why; of what an alias, an SRS address or the postmaster stands for, neither the
mailbox nor the provider's words are told, for they may name it. Such an address is refused only when every mailbox
behind it is. Pure; a stored record that cannot be read is None.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from mailhaul_contract.suppression import Suppression
from mailhaul_relay.model.message import Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.dates import header_date

MAX_WORDS = 160
"""Characters of a provider's words, or a person's, that are kept and repeated: a reply is one line of 512 octets."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One permanent failure: when, at which upstream, in its words."""

    now: float
    upstream: str
    words: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one address. Times in epoch seconds: `failures` of the last permanent ones, `since` and `until`
    of the refusal (0 while there is none). `by_hand` when a person began it; `words` are then theirs.
    """

    failures: tuple[float, ...] = ()
    since: float = 0.0
    until: float = 0.0
    upstream: str = ""
    words: str = ""
    by_hand: bool = False

    def refuses(self, now: float) -> bool:
        """Whether the address is refused now. A refusal by failures that is to begin later is of a clock that was ahead
        and has been set right.
        """
        return self.until > now and (self.by_hand or self.since <= now)

    def is_spent(self, now: float, within: float) -> bool:
        """Whether it means nothing any more."""
        return not self.refuses(now) and not any(now - one < within for one in self.failures)

    def to_json(self) -> list[object]:
        """Give the form that is stored."""
        return [list(self.failures), self.since, self.until, self.upstream, self.words, self.by_hand]

    @classmethod
    def from_json(cls, data: Any) -> Self | None:  # noqa: ANN401 - JSON
        """Read what was stored; None when it cannot be read."""
        try:
            failures, since, until, upstream, words, by_hand = data
            times = tuple(float(one) for one in failures)
            return cls(times, float(since), float(until), str(upstream), str(words)[:MAX_WORDS], bool(by_hand))
        except (ValueError, TypeError):
            return None


def after_failure(record: Record, failure: Failure, rules: Suppression) -> Record:
    """Give the record after a permanent failure; a person's own refusal stays as it is."""
    if record.by_hand and record.refuses(failure.now):
        return record
    recent = [one for one in record.failures if failure.now - one < rules.within]
    failures = (*recent, failure.now)[-rules.failures :]
    told = replace(record, failures=failures, upstream=failure.upstream, words=plain(failure.words), by_hand=False)
    if len(failures) < rules.failures or record.refuses(failure.now):
        return told
    return replace(told, since=failure.now, until=failure.now + rules.lasts)


def by_hand(words: str, now: float, until: float) -> Record:
    """Give the record of an address that a person does not want mail to go to."""
    return Record(since=now, until=until, words=plain(words), by_hand=True)


def key(address: str) -> str:
    """Give the form under which an address is known: the case of letters makes no other mailbox in practice."""
    return address.casefold()


def refusal(suppressed: Mapping[str, Record], asked: str, recipients: Iterable[Recipient], now: float) -> Reply | None:
    """Refuse RCPT when everybody whom the address leads to is suppressed; None when somebody is not."""
    told: tuple[Recipient, Record] | None = None
    for one in recipients:
        record = suppressed.get(key(one.final))
        if record is None or not record.refuses(now):
            return None
        told = told or (one, record)
    if told is None:
        return None
    recipient, record = told
    own = recipient.original != recipient.final
    name = plain(asked)
    return Reply(550, "5.1.1", f"{name}: {_why(record, own=own)}; refused until {header_date(record.until)}")


def _why(record: Record, *, own: bool) -> str:
    if own:
        return "mail to it failed permanently before"
    if record.by_hand:
        return "suppressed by an operator" + (f" ({record.words})" if record.words else "")
    times = f"{len(record.failures)} times" if len(record.failures) > 1 else "before"
    return f"failed permanently {times}, last at {record.upstream}: {record.words}"


def plain(text: str) -> str:
    """Give printable ASCII of bounded length, fit for a reply."""
    return "".join(one if " " <= one <= "~" else "?" for one in text)[:MAX_WORDS]
