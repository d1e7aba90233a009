"""A provider that takes a message in more parts than were reckoned gets none beyond its quota."""

from typing import Any

import pytest
from tests.support.queueing import DELIVERED, GREYLISTED, LOST_AFTER_DOT, NO_SUCH_USER, Desk, mail, upstream

from mailhaul_contract.report import BreakerState
from mailhaul_relay.model.message import State
from mailhaul_relay.model.outcome import Outcome, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission

THIRTY = [f"r{number}@example.net" for number in range(30)]


def _desk(quotas: list[dict[str, Any]], *others: dict[str, Any], answers: dict[str, Outcome] | None = None) -> Desk:
    """Upstream `a` takes one recipient in each transaction, as `SmtpTransport` sends them to one that says so."""
    desk = Desk(upstreams=[upstream("a", 0, quotas=quotas), *others])

    async def one_by_one(transmission: Transmission) -> Delivery:
        outcomes: list[Outcome] = []
        taken = 0
        for recipient in transmission.recipients:
            rest = transmission.further(taken) if outcomes and transmission.further else None
            if rest:
                outcomes += [rest] * (len(transmission.recipients) - len(outcomes))
                break
            outcomes.append((answers or {}).get(recipient, DELIVERED))
            taken += outcomes[-1].verdict in {Verdict.DELIVERED, Verdict.UNKNOWN}
        return Delivery(tuple(outcomes), "a.example:25", taken)

    desk.transport("a").deliver = one_by_one  # type: ignore[method-assign]
    return desk


def _used(desk: Desk) -> tuple[int, int]:
    (found,) = desk.ways.states()[0].quotas
    return found.used, found.under_way


@pytest.mark.parametrize("limit", [1, 29])
async def test_what_the_provider_splits_passes_no_limit_and_the_rest_is_held(limit: int) -> None:
    desk = _desk([{"period": "Day", "limit": limit}])
    held = await desk.send(mail("m1", *THIRTY))
    assert _used(desk) == (limit, 0)
    assert held is not None
    waiting = [one for one in held.progress if one.state is State.HELD]
    assert len(waiting) == 30 - limit
    assert {one.fault for one in waiting} == {"quota"}
    assert waiting[0].text.startswith(f"a: the {limit} messages a day are used up; more at ")


async def test_what_the_provider_splits_within_its_limit_leaves_at_once() -> None:
    desk = _desk([{"period": "Day", "limit": 30}])
    assert await desk.send(mail("m1", *THIRTY)) is None
    assert _used(desk) == (30, 0)


async def test_the_rest_of_a_split_message_fails_over() -> None:
    desk = _desk([{"period": "Day", "limit": 2}], upstream("b", 10))
    assert await desk.send(mail("m1", *THIRTY)) is None
    assert desk.transport("b").taken[0].recipients == tuple(THIRTY[2:])


async def test_recipients_are_counted_once_however_many_messages_they_are() -> None:
    desk = _desk([{"period": "Day", "limit": 30, "counts": "Recipients"}])
    assert await desk.send(mail("m1", *THIRTY)) is None
    assert _used(desk) == (30, 0)


async def test_a_part_that_was_refused_is_no_message_too_many() -> None:
    answers = {THIRTY[0]: NO_SUCH_USER, THIRTY[1]: GREYLISTED}
    desk = _desk([{"period": "Day", "limit": 1}], answers=answers)
    held = await desk.send(mail("m1", *THIRTY))
    assert held is not None
    assert sum(one.state is State.DELIVERED for one in held.progress) == 1
    assert _used(desk) == (1, 0)


async def test_a_limit_that_was_reached_within_a_message_is_no_word_of_the_provider() -> None:
    """What may have been taken is the only answer; the relay's own count neither fills the quota nor opens a breaker
    for longer than the count does.
    """
    lost = Outcome(Verdict.UNKNOWN, LOST_AFTER_DOT.stage, detail="cut off")
    desk = _desk([{"period": "Day", "limit": 1}], answers=dict.fromkeys(THIRTY, lost))
    await desk.send(mail("m1", *THIRTY))
    (found,) = desk.ways.states()[0].quotas
    assert (found.used, found.told) == (1, False)
    assert desk.ways.states()[0].current.state(desk.clock()) is BreakerState.CLOSED


async def test_important_mail_may_spend_the_reserve_on_its_parts() -> None:
    desk = _desk([{"period": "Day", "limit": 10, "reserve_percent": 20}])
    envelope = mail("m1", *THIRTY).envelope
    for important, taken in ((False, 8), (True, 2)):
        sent = Transmission(envelope.id, "", tuple(THIRTY), b"", mail("m1").body, important=important)
        delivery = await desk.ways.deliver("a", sent)
        assert delivery is not None
        assert sum(one.verdict is Verdict.DELIVERED for one in delivery.outcomes) == taken
