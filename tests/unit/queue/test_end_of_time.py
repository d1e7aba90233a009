"""Mail ends when its time is over, whatever it waits for then, and the scanner does not run round it meanwhile."""

import asyncio

import pytest
from tests.support.queueing import WRONG_PASSWORD, Desk, mail, upstream

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict

SPENT = Outcome(Verdict.HOLD, Stage.END_OF_DATA, Fault.QUOTA, Reply(452, "4.5.3", "monthly quota exceeded"))


class Counting(Desk):
    """A desk that counts how often messages are taken into work."""

    begun = 0

    def count(self) -> None:
        begin = self.queue.begin

        def counted(message: Message) -> bool:
            self.begun += 1
            return begin(message)

        self.queue.begin = counted  # type: ignore[method-assign]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("answer", "expire_after"),
    [(SPENT, 600), (WRONG_PASSWORD, 100)],
    ids=["a-quota", "a-password"],
)
async def test_what_was_tried_and_waits_for_its_upstream_ends_in_time(answer: Outcome, expire_after: int) -> None:
    quotas = [{"period": "Month", "limit": 1000}]
    desk = Counting(upstreams=[upstream("a", quotas=quotas)], queue={"expire_after": expire_after})
    desk.script("a", (answer,))
    await desk.send(mail())
    desk.count()
    async with desk.scanning():
        desk.clock.advance(expire_after + 1)
        await asyncio.sleep(30)
    assert desk.spool.messages["m1"].progress[0].state is State.DEAD
    assert desk.spool.messages["m1"].progress[0].text.startswith("expired; last: ")
    assert desk.begun == 1
