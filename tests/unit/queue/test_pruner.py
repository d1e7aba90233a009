"""Dead letters are kept for as long as configured, no longer, and none goes without a word."""

import json

from tests.support.memory_spool import MemorySpool
from tests.support.queued_mail import ACCEPTED, dead, held, message_id, queued

from mailhaul_relay.model.message import Message, Progress, State
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.active import ActiveSet
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.pruner import PAGE, Pruner
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

KEEP = 3600.0
DIED = ACCEPTED + 60


class Claims(ActiveSet):
    def release(self, message_id: str) -> None:
        self.discard(message_id)

    def kick(self) -> None:
        return


class Desk:
    def __init__(self, *messages: Message) -> None:
        self.spool, self.claims, self.tally = MemorySpool(), Claims(), Tally()
        self.lines: list[str] = []
        log = Log(self.lines.append)
        self.spool.messages = {one.id: one for one in messages}
        self.chronicle = Chronicle(self.spool, log, VirtualClock())
        self.pruner = Pruner(self.spool, self.claims, self.chronicle, self.tally, log)


async def test_it_goes_when_its_time_is_over_and_not_before() -> None:
    desk = Desk(queued(0, dead()))
    assert await desk.pruner.look(KEEP, DIED + KEEP - 1) == 0
    assert await desk.pruner.look(KEEP, DIED + KEEP) == 1
    assert not desk.spool.messages


async def test_the_time_counts_from_the_last_recipient_that_failed() -> None:
    desk = Desk(queued(0, dead(), dead(changed=DIED + 500), Progress(State.DELIVERED)))
    assert await desk.pruner.look(KEEP, DIED + KEEP) == 0
    assert await desk.pruner.look(KEEP, DIED + KEEP + 500) == 1


async def test_mail_that_still_has_a_recipient_with_hope_stays() -> None:
    desk = Desk(queued(0, dead(), held()), queued(1, held()))
    assert await desk.pruner.look(KEEP, DIED + 9 * KEEP) == 0


async def test_what_somebody_works_on_waits_for_the_next_look() -> None:
    desk = Desk(queued(0, dead()))
    desk.claims.claim(message_id(0))
    assert await desk.pruner.look(KEEP, DIED + KEEP) == 0
    desk.claims.release(message_id(0))
    assert await desk.pruner.look(KEEP, DIED + KEEP) == 1


async def test_it_is_logged_counted_and_part_of_the_story() -> None:
    desk = Desk(queued(0, dead()))
    await desk.pruner.look(KEEP, DIED + KEEP)
    line = json.loads(desk.lines[0])
    assert (line["event"], line["id"], line["recipients"]) == ("dead-letter-pruned", message_id(0), ["r0@example.net"])
    assert desk.tally.pruned == 1
    assert [one.verb for one in (await desk.chronicle.story(message_id(0))).ordered] == ["prune"]


async def test_many_go_page_by_page() -> None:
    desk = Desk(*(queued(number, dead()) for number in range(2 * PAGE + 1)))
    assert await desk.pruner.look(KEEP, DIED + KEEP) == 2 * PAGE + 1
