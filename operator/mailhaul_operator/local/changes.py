"""What happened between two looks at a relay, in words: the plain lines of `up` and the table's last deliveries.

Pure. The relay's report counts; this names what was counted since.
"""

from collections.abc import Iterator

from mailhaul_contract.report import BreakerState, RelayReport, UpstreamReport
from mailhaul_operator.assess.ways import out_words
from mailhaul_operator.assess.words import reply_words


def changes(before: RelayReport | None, after: RelayReport) -> tuple[str, ...]:
    """Give a line for each thing that a person would want to see go by. None means: nothing was known before."""
    if before is None or before.pid != after.pid:
        before = after.model_copy(update={"upstreams": (), "accepted": 0, "refused_config": None, "digest": ""})
    return (
        *_configuration(before, after),
        *_accepted(before, after),
        *_upstreams(before, after),
        *_fates(before, after),
    )


def _configuration(before: RelayReport, after: RelayReport) -> Iterator[str]:
    if after.digest != before.digest:
        yield f"runs configuration {after.digest[:19]}"
    if after.refused_config and after.refused_config != before.refused_config:
        yield f"refused a configuration: {'; '.join(after.refused_config.reasons)}"


def _accepted(before: RelayReport, after: RelayReport) -> Iterator[str]:
    if after.accepted > before.accepted:
        yield f"accepted {_messages(after.accepted - before.accepted)}"


def _upstreams(before: RelayReport, after: RelayReport) -> Iterator[str]:
    known = {one.name: one for one in before.upstreams}
    for one in after.upstreams:
        yield from _upstream(known.get(one.name) or UpstreamReport(name=one.name, provider=one.provider), one)


def _upstream(before: UpstreamReport, after: UpstreamReport) -> Iterator[str]:
    said = f": {reply_words(after.last_reply)}" if after.last_reply else ""
    if after.delivered > before.delivered:
        yield f"{after.name} took {_recipients(after.delivered - before.delivered)}"
    for count, words in (
        (after.failed - before.failed, "refused for good"),
        (after.unknown - before.unknown, "left unknown"),
    ):
        if count > 0:
            yield f"{after.name} {words} {_recipients(count)}{said}"
    if after.breaker != before.breaker and after.breaker is BreakerState.CLOSED:
        yield f"{after.name} works again"
    elif after.breaker != before.breaker:
        yield f"{after.name} is {_STATES[after.breaker]} ({after.breaker_fault or 'fault'}){out_words(after)}"
    for domain in sorted(set(after.refused_senders) - set(before.refused_senders)):
        yield f"{after.name} refuses mail from {domain}{said}"


def _fates(before: RelayReport, after: RelayReport) -> Iterator[str]:
    if after.queue.held != before.queue.held:
        yield f"{_messages(after.queue.held)} held" if after.queue.held else "no message is held any more"
    if after.queue.dead > before.queue.dead:
        yield f"{_messages(after.queue.dead)} kept as dead letters"


_STATES = {BreakerState.OPEN: "out", BreakerState.HALF_OPEN: "on trial"}


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"


def _recipients(count: int) -> str:
    return f"{count} recipient{'' if count == 1 else 's'}"
