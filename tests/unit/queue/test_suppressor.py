"""The suppression list: kept over restarts, bounded, released on request, and switched by the configuration."""

import asyncio
import json
from dataclasses import replace

import pytest
from tests.support.memory_spool import MemorySpool
from tests.support.queueing import NO_SUCH_USER, Desk, mail, upstream

from mailhaul_contract.suppression import Suppression
from mailhaul_relay.model.message import Recipient, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue import suppressor as module
from mailhaul_relay.queue.suppressor import Suppressor
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.log import Log

TO = "Gone@example.net"
MAILBOX_FULL = Outcome(Verdict.RETRY, Stage.RCPT, Fault.RECIPIENT, Reply(452, "4.2.2", "mailbox full"))


class List:
    def __init__(self, spool: MemorySpool | None = None, rules: Suppression | None = None) -> None:
        self.spool, self.clock = spool or MemorySpool(), VirtualClock()
        self.rules: Suppression | None = rules or Suppression(failures=2)
        self.lines: list[str] = []
        self.changes = 0
        self.list = Suppressor(self.spool, lambda: self.rules, Log(self.lines.append), self.clock)
        self.list.on_change = self._changed

    def _changed(self) -> None:
        self.changes += 1

    def fail(self, times: int = 2, address: str = TO) -> None:
        for _ in range(times):
            self.list.failed(address, "primary", "550 5.1.1 no such user")


async def test_it_survives_a_restart() -> None:
    one = List()
    one.fail()
    one.list.add("by@hand.example", "asked us to", 900)
    await one.list.flush()
    other = List(one.spool)
    await other.list.restore()
    assert other.list.refusing() == one.list.refusing()
    assert sorted(other.list.refusing()) == ["by@hand.example", "gone@example.net"]


async def test_what_began_it_is_told_once() -> None:
    one = List()
    one.fail(5)
    told = [json.loads(line) for line in one.lines]
    assert [(line["event"], line["recipient"], line["reply"]) for line in told] == [
        ("suppressed", TO, "550 5.1.1 no such user")
    ]
    assert one.list.begun == 1


async def test_a_delivery_makes_failures_count_from_the_beginning() -> None:
    one = List()
    one.fail(1)
    one.list.delivered("gone@EXAMPLE.net")
    one.fail(1)
    assert not one.list.refusing()


async def test_a_delivery_does_not_lift_a_persons_word() -> None:
    one = List()
    one.list.add(TO, "", 900)
    one.list.delivered(TO)
    assert one.list.refusing()


async def test_release_forgets_and_tells_who_was_refused() -> None:
    one = List()
    one.fail()
    assert one.list.release([TO, "never@example.net"]) == ["gone@example.net"]
    one.fail(1)
    assert not one.list.refusing()
    await one.list.flush()
    other = List(one.spool)
    await other.list.restore()
    assert not other.list.refusing()


async def test_without_configuration_failures_refuse_nobody_but_a_persons_word_does() -> None:
    one = List()
    one.fail()
    one.list.add("by@hand.example", "", 900)
    one.rules = None
    one.fail(9, "other@example.net")
    assert list(one.list.refusing()) == ["by@hand.example"]
    one.rules = Suppression()
    assert sorted(one.list.refusing()) == ["by@hand.example", "gone@example.net"]


async def test_a_list_goes_page_by_page_by_address() -> None:
    one = List()
    for number in range(5):
        one.list.add(f"a{number}@example.net", "", 900)
    first = one.list.listed("", "", 2)
    assert [name for name, _ in first] == ["a0@example.net", "a1@example.net"]
    assert [name for name, _ in one.list.listed("", first[-1][0], 9)] == [f"a{n}@example.net" for n in (2, 3, 4)]
    assert [name for name, _ in one.list.listed("A3", "", 9)] == ["a3@example.net"]


async def test_it_is_bounded_and_those_go_first_that_refuse_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    monkeypatch.setattr(module, "ROOM", 4)
    one = List()
    for number in range(5):
        one.list.add(f"kept{number}@example.net", "", 900)
    for number in range(6):
        one.fail(1, f"once{number}@example.net")
    assert len(one.list.refusing()) == 5
    assert any("suppression-full" in line for line in one.lines)


async def test_what_has_ended_is_swept_out_of_the_store() -> None:
    one = List()
    one.list.add(TO, "", 60)
    await one.list.flush()
    assert len(one.list.refusing()) == 1
    one.clock.advance(31_536_000)
    await one.list.flush()
    assert not any((await one.spool.remembered()).values())


async def test_a_store_that_refuses_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = List()
    one.fail()
    remember = one.spool.remember

    async def refuse(*_: object) -> None:
        raise SpoolError("full", full=True)

    monkeypatch.setattr(one.spool, "remember", refuse)
    await one.list.flush()
    monkeypatch.setattr(one.spool, "remember", remember)
    await one.list.flush()
    other = List(one.spool)
    await other.list.restore()
    assert other.list.refusing()


async def test_what_was_stored_and_cannot_be_read_is_left_out() -> None:
    one = List()
    await one.spool.remember("suppression/00", {"a@example.net": "nonsense", "b@example.net": [[], 0, 0, "", "", 0]})
    await one.list.restore()
    assert not one.list.refusing()


async def test_the_queue_counts_refused_recipients_and_no_other_failure() -> None:
    desk = Desk(upstreams=[upstream("a")], suppression={"failures": 2})
    heard = Suppressor(desk.spool, lambda: desk.configured.config.suppression, desk.log, desk.clock)
    desk.account.suppressor = heard
    desk.script("a", (NO_SUCH_USER,), (NO_SUCH_USER,))
    await desk.send(mail("m1", TO))
    assert not heard.refusing()
    await desk.send(mail("m2", TO))
    assert list(heard.refusing()) == ["gone@example.net"]
    await desk.send(mail("m3", "fine@example.net"))
    assert list(heard.refusing()) == ["gone@example.net"]


async def test_a_temporary_refusal_of_a_recipient_that_expires_is_no_permanent_failure() -> None:
    desk = Desk(upstreams=[upstream("a")], suppression={"failures": 1}, queue={"expire_after": 3600})
    heard = Suppressor(desk.spool, lambda: desk.configured.config.suppression, desk.log, desk.clock)
    desk.account.suppressor = heard
    desk.script("a", (MAILBOX_FULL,), (MAILBOX_FULL,))
    await desk.send(mail("m1", TO))
    desk.clock.advance(3600)
    kept = await desk.again("m1")
    assert kept is not None
    assert (kept.progress[0].state, kept.progress[0].fault) == (State.DEAD, "expired")
    assert not heard.refusing()


async def test_a_copy_for_an_archive_counts_for_nobody_and_is_told_as_failed() -> None:
    desk = Desk(upstreams=[upstream("a")], suppression={"failures": 1})
    heard = Suppressor(desk.spool, lambda: desk.configured.config.suppression, desk.log, desk.clock)
    desk.account.suppressor = heard
    desk.script("a", (NO_SUCH_USER,))
    message = mail("m1", "archive@example.org")
    copied = replace(message.envelope, recipients=(Recipient("", "archive@example.org"),))
    await desk.send(replace(message, envelope=copied))
    assert not heard.refusing()
    assert any('"dead-letter"' in line for line in desk.lines)


async def test_an_archive_that_is_addressed_itself_does_not_land_on_the_list() -> None:
    one = List()
    one.list.spared = lambda: ("gone@example.net",)
    one.fail(9)
    one.fail(2, "other@example.net")
    assert list(one.list.refusing()) == ["other@example.net"]
    one.list.add(TO, "", 900)
    assert "gone@example.net" in one.list.refusing()


@pytest.mark.looptime
async def test_an_end_is_published_too() -> None:
    one = List()
    one.list.add(TO, "", 60)
    one.list.refusing()
    task = asyncio.create_task(one.list.run())
    await asyncio.sleep(5)
    before = one.changes
    one.clock.advance(120)
    await asyncio.sleep(5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert one.changes == before + 1


def test_what_a_person_added_makes_room_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    one = List(rules=Suppression(failures=1))
    assert all(one.list.add(f"p{number}@hand.example", "asked us to", 60) for number in range(2))
    for number in range(20):
        one.fail(1, f"r{number}@gone.example")
    assert {"p0@hand.example", "p1@hand.example"} <= set(one.list.refusing())
    assert all(one.list.add(f"p{number}@hand.example", "", 60) for number in range(4))
    assert sorted(one.list.refusing()) == [f"p{number}@hand.example" for number in range(4)]
    begun = one.list.begun
    one.fail(1, "late@gone.example")
    assert not one.list.add("p9@hand.example", "", 60)
    assert one.list.add("p0@hand.example", "again", 900), "what is there may be changed"
    assert sorted(one.list.refusing()) == [f"p{number}@hand.example" for number in range(4)]
    assert one.list.begun == begun, "nothing is told as suppressed that is not"
    one.clock.advance(61)
    assert one.list.add("p9@hand.example", "", 60), "whose time is over makes room"
