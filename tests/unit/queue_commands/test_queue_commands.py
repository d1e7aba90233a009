"""What a person may do with queued mail, and that no command races an attempt or loses a byte."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from tests.support.memory_spool import MemorySpool
from tests.support.queue_desk import journal_of
from tests.support.queued_mail import ACCEPTED, dead, held, message_id, queued
from tests.support.queueing import running, upstream

from mailhaul_relay.model.message import Message, Progress, State
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.commands import MAX_PAGE, QueueCommands
from mailhaul_relay.queue.orders import Answer, Order, Selection, Tallied, Verb
from mailhaul_relay.spool.interface import Place, SpoolError, Stored
from mailhaul_relay.telemetry.tally import Tally

NOW = ACCEPTED + 10_000


class FakeClaims:
    """An engine's claims: `active` are being delivered."""

    def __init__(self) -> None:
        self.active: set[str] = set()
        self.claimed: set[str] = set()
        self.kicks = 0

    def claim(self, message_id: str) -> bool:
        if message_id in self.active | self.claimed:
            return False
        self.claimed.add(message_id)
        return True

    def release(self, message_id: str) -> None:
        self.claimed.remove(message_id)

    def kick(self) -> None:
        assert not self.claimed, "kicked while messages are still claimed"
        self.kicks += 1


class CheckedSpool(MemorySpool):
    """Refuses changes of messages that nobody claimed."""

    def __init__(self, claims: FakeClaims) -> None:
        super().__init__()
        self.claims = claims

    def update(self, message: Message, place: Place | None = None) -> "asyncio.Future[None]":
        assert message.id in self.claims.claimed
        return super().update(message, place)

    def remove(self, id: str) -> "asyncio.Future[None]":  # noqa: A002
        assert id in self.claims.claimed
        return super().remove(id)


class Desk:
    """Commands over a spool with some messages."""

    def __init__(self, messages: Iterable[Message], **config: Any) -> None:  # noqa: ANN401 - fields of RelayConfig
        self.claims = FakeClaims()
        self.spool = CheckedSpool(self.claims)
        self.spool.messages = {one.id: one for one in messages}
        self.tally = Tally()
        self.lines: list[str] = []
        configured = running(upstreams=[upstream("primary"), upstream("backup", 10)], **config)
        self.journal = journal = journal_of(self.spool, self.tally, self.lines, lambda: configured, VirtualClock(NOW))
        self.commands = QueueCommands(self.spool, self.claims, lambda: configured, journal, VirtualClock(NOW))

    async def retry(self, message_id: str, through: str = "") -> Answer:
        return await self.commands.one(message_id, Order(Verb.RETRY, through))

    async def drop(self, message_id: str) -> Answer:
        return await self.commands.one(message_id, Order(Verb.DROP))

    async def retry_all(self, selection: Selection, through: str = "") -> Tallied | Answer:
        return await self.commands.many(selection, Order(Verb.RETRY, through))

    async def drop_all(self, selection: Selection, after: str = "") -> Tallied:
        done = await self.commands.many(selection, Order(Verb.DROP), after)
        assert isinstance(done, Tallied)
        return done

    def progress(self, number: int) -> tuple[Progress, ...]:
        return self.spool.messages[message_id(number)].progress

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.lines]


async def test_a_list_goes_by_id_and_page_by_page() -> None:
    desk = Desk(queued(number) for number in range(5))
    first = await desk.commands.list(Selection(), limit=2)
    second = await desk.commands.list(Selection(), first.following, limit=2)
    third = await desk.commands.list(Selection(), second.following, limit=2)
    seen = [one.envelope.id for page in (first, second, third) for one in page.messages]
    assert seen == [message_id(number) for number in range(5)]
    assert third.following == ""


async def test_a_list_by_state_has_messages_with_a_recipient_in_it() -> None:
    desk = Desk([queued(0), queued(1, held()), queued(2, dead(), held()), queued(3, dead())])
    page = await desk.commands.list(Selection(frozenset({State.HELD})))
    assert [one.envelope.id for one in page.messages] == [message_id(1), message_id(2)]


@pytest.mark.parametrize(("sender", "recipient"), [("SHOP@", ""), ("", "Alice"), ("shop", "alice@")])
async def test_a_list_by_parts_of_addresses_ignores_case(sender: str, recipient: str) -> None:
    wanted = queued(1, sender="shop@example.com", to=("alice@example.net",))
    desk = Desk([queued(0), wanted, queued(2)])
    page = await desk.commands.list(Selection(sender=sender, recipient=recipient))
    assert [one.envelope.id for one in page.messages] == [wanted.id]


async def test_a_filter_finds_the_one_message_behind_many_pages() -> None:
    wanted = queued(3 * MAX_PAGE, to=("rare@example.net",))
    desk = Desk([*(queued(number) for number in range(3 * MAX_PAGE)), wanted])
    found: list[Stored] = []
    following = ""
    for _ in range(4):
        page = await desk.commands.list(Selection(recipient="rare"), following)
        found += page.messages
        following = page.following
    assert [one.envelope.id for one in found] == [wanted.id]
    assert following == ""


async def test_a_filtered_list_neither_skips_nor_repeats() -> None:
    desk = Desk(queued(number, to=(f"{'hit' if number % 3 else 'no'}@example.net",)) for number in range(50))
    seen, following = [], "0"
    while following:
        page = await desk.commands.list(Selection(recipient="hit"), following, limit=7)
        seen += [one.envelope.id for one in page.messages]
        following = page.following
    assert seen == [message_id(number) for number in range(50) if number % 3]


async def test_retry_makes_held_and_deferred_recipients_due_now() -> None:
    desk = Desk([queued(0, held(), held(state=State.DEFERRED))])
    assert await desk.retry(message_id(0)) is Answer.DONE
    assert [(one.state, one.due) for one in desk.progress(0)] == [(State.HELD, NOW), (State.DEFERRED, NOW)]
    assert desk.claims.kicks == 1


async def test_retry_gives_a_dead_letter_a_new_life() -> None:
    desk = Desk([queued(0, dead(attempts=9))])
    assert await desk.retry(message_id(0)) is Answer.DONE
    (fate,) = desk.progress(0)
    assert (fate.state, fate.due, fate.attempts, fate.renewed) == (State.QUEUED, NOW, 0, NOW)
    assert fate.text, "the last words stay until there are new ones"


async def test_retry_never_sends_again_to_who_has_it() -> None:
    has_it = Progress(State.DELIVERED)
    desk = Desk([queued(0, has_it, held())])
    await desk.retry(message_id(0))
    assert desk.progress(0)[0] == has_it


async def test_retry_through_an_upstream_pins_it_and_a_plain_retry_frees_it() -> None:
    desk = Desk([queued(0, held())])
    await desk.retry(message_id(0), "backup")
    assert desk.progress(0)[0].pinned == "backup"
    await desk.retry(message_id(0))
    assert desk.progress(0)[0].pinned == ""


async def test_a_recipient_that_may_have_arrived_stays_with_its_upstream_unless_another_is_named() -> None:
    desk = Desk([queued(0, held(unknowns=3, pinned="primary"))])
    await desk.retry(message_id(0))
    assert (desk.progress(0)[0].pinned, desk.progress(0)[0].unknowns) == ("primary", 1)
    await desk.retry(message_id(0), "backup")
    assert (desk.progress(0)[0].pinned, desk.progress(0)[0].unknowns) == ("backup", 0)


async def test_an_upstream_that_is_not_configured_is_refused_and_nothing_changes() -> None:
    desk = Desk([queued(0, held())])
    before = desk.progress(0)
    assert await desk.retry(message_id(0), "typo") is Answer.NO_SUCH_UPSTREAM
    assert await desk.retry_all(Selection(), "typo") is Answer.NO_SUCH_UPSTREAM
    assert desk.progress(0) == before


@pytest.mark.parametrize("verb", ["retry", "drop"])
async def test_a_message_that_is_being_delivered_is_left_alone(verb: str) -> None:
    desk = Desk([queued(0, held())])
    desk.claims.active.add(message_id(0))
    before = desk.progress(0)
    assert await getattr(desk, verb)(message_id(0)) is Answer.ACTIVE
    assert desk.progress(0) == before
    assert not desk.lines


@pytest.mark.parametrize("verb", ["retry", "drop"])
async def test_a_message_that_is_gone_is_told_so(verb: str) -> None:
    desk = Desk([])
    assert await getattr(desk, verb)(message_id(0)) is Answer.GONE
    assert not desk.claims.claimed
    assert not desk.lines


async def test_commands_keep_the_bytes_of_a_message() -> None:
    desk = Desk([queued(0, dead())])
    before = desk.spool.messages[message_id(0)]
    await desk.retry(message_id(0))
    after = desk.spool.messages[message_id(0)]
    assert (after.head, after.body, after.envelope) == (before.head, before.body, before.envelope)


async def test_drop_removes_counts_and_tells() -> None:
    desk = Desk([queued(0, held()), queued(1)])
    assert await desk.drop(message_id(0)) is Answer.DONE
    assert list(desk.spool.messages) == [message_id(1)]
    assert desk.tally.dropped == 1
    assert desk.events() == ["queue-dropped"]
    assert json.loads(desk.lines[0])["id"] == message_id(0)


async def test_retry_of_all_changes_only_recipients_in_the_states() -> None:
    desk = Desk([queued(0, dead(), held()), queued(1, held()), queued(2, dead())])
    result = await desk.retry_all(Selection(frozenset({State.DEAD})))
    assert result == Tallied(2, 0, "")
    assert [one.state for one in desk.progress(0)] == [State.QUEUED, State.HELD]
    assert desk.progress(0)[1].due > NOW - 10_000 + 60
    assert desk.progress(1)[0] == held()


async def test_commands_on_many_go_page_by_page_to_the_end() -> None:
    desk = Desk(queued(number, dead()) for number in range(MAX_PAGE + 20))
    first = await desk.drop_all(Selection(frozenset({State.DEAD})))
    assert (first.done, bool(first.following)) == (MAX_PAGE, True)
    second = await desk.drop_all(Selection(frozenset({State.DEAD})), first.following)
    assert (second.done, second.following) == (20, "")
    assert not desk.spool.messages


async def test_drop_of_dead_letters_leaves_mail_that_still_has_hope() -> None:
    desk = Desk([queued(0, dead(), held()), queued(1, dead())])
    assert await desk.drop_all(Selection(frozenset({State.DEAD}))) == Tallied(1, 1, "")
    assert list(desk.spool.messages) == [message_id(0)]


async def test_many_leave_out_what_is_being_delivered() -> None:
    desk = Desk([queued(0, held()), queued(1, held())])
    desk.claims.active.add(message_id(0))
    assert await desk.retry_all(Selection()) == Tallied(1, 1, "")


@pytest.mark.parametrize("verb", ["retry", "retry_all"])
async def test_a_store_that_fails_releases_every_claim(verb: str) -> None:
    desk = Desk([queued(0, held()), queued(1, held())])
    desk.spool.fault = SpoolError("no space", full=True)
    with pytest.raises(SpoolError):
        await getattr(desk, verb)(message_id(0) if verb == "retry" else Selection())
    assert not desk.claims.claimed
    assert not desk.lines, "nothing is told as done that was not stored"


class PartlyFailingSpool(CheckedSpool):
    """Refuses the changes of one message."""

    refused = message_id(1)

    def update(self, message: Message, place: Place | None = None) -> "asyncio.Future[None]":
        self.fault = SpoolError("no space", full=True) if message.id == self.refused else None
        return super().update(message, place)


async def test_what_was_changed_before_the_disk_failed_is_written_down() -> None:
    desk = Desk([])
    desk.spool = PartlyFailingSpool(desk.claims)
    desk.spool.messages = {one.id: one for one in (queued(number, held()) for number in range(3))}
    running_now = running(upstreams=[upstream("primary")])
    desk.commands = QueueCommands(desk.spool, desk.claims, lambda: running_now, desk.journal, VirtualClock(NOW))
    with pytest.raises(SpoolError):
        await desk.retry_all(Selection())
    assert [json.loads(line)["id"] for line in desk.lines] == [message_id(0), message_id(2)]
    assert not desk.claims.claimed


@pytest.mark.parametrize("many", [True, False])
async def test_an_order_whose_asker_has_left_is_finished_and_written_down(many: bool) -> None:
    desk = Desk([queued(0, held())])
    desk.spool.gate.clear()
    asked = asyncio.create_task(_order(desk, many=many))
    while not desk.claims.claimed:  # noqa: ASYNC110 - turns of the loop, no time
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert desk.claims.claimed, "nothing else works on it before it is stored"
    desk.spool.gate.set()
    while desk.claims.claimed:  # noqa: ASYNC110 - the same
        await asyncio.sleep(0)
    assert desk.progress(0)[0].due == NOW
    assert desk.events() == ["queue-retried"]


async def _order(desk: Desk, *, many: bool) -> None:
    await (desk.retry_all(Selection()) if many else desk.retry(message_id(0)))


@pytest.mark.parametrize(
    ("fates", "verb", "answer"),
    [
        ((held(),), Verb.RELEASE, Answer.NOTHING),
        ((held(),), Verb.HOLD, Answer.DONE),
        ((dead(),), Verb.BOUNCE, Answer.NOTHING),
        ((), Verb.DROP, Answer.GONE),
    ],
)
async def test_a_dry_order_tells_what_would_be_answered_and_changes_nothing(
    fates: tuple[Progress, ...], verb: Verb, answer: Answer
) -> None:
    desk = Desk([queued(0, *fates)] if fates else [])
    assert await desk.commands.one(message_id(0), Order(verb), dry=True) is answer
    assert [one.progress for one in desk.spool.messages.values()] == ([fates] if fates else [])
    assert not desk.lines
    assert not desk.claims.claimed
