"""A session's times, back-pressure, faults and end, on a transport of the test's own."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.listening import Bench, Wire, running_of

from mailhaul_relay.model.message import Message
from mailhaul_relay.smtpin import limits

MESSAGE = b"From: app@example.com\r\n\r\nhi\r\n.\r\n"
TO_DATA = b"EHLO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"


def connected(bench: Bench | None = None) -> Wire:
    wire = (bench or Bench()).connect()
    wire.take()
    return wire


def later(wire: Wire, seconds: float) -> bytes:
    """Look at the session's times as the listener would after some seconds."""
    wire.session.check_time(wire.session.loop.time() + seconds)
    return wire.take()


async def turns(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_replies_of_a_pipelined_group_leave_in_one_write() -> None:
    wire = connected()
    before = wire.writes
    wire.send(b"EHLO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nNOOP\r\n")
    assert wire.writes == before + 1
    wire.close()


async def test_replies_wait_for_the_end_of_the_turn_of_the_loop() -> None:
    wire = connected()
    wire.session.data_received(b"NOOP\r\n")
    assert wire.said == b""
    await turns(1)
    assert wire.said == b"250 2.0.0 Ok\r\n"
    wire.close()


async def test_a_client_that_ends_its_side_gets_what_it_is_owed_before_the_connection_closes() -> None:
    wire = connected()
    wire.session.data_received(b"NOOP\r\n")
    assert not wire.session.eof_received()  # the transport closes by itself now
    assert wire.said == b"250 2.0.0 Ok\r\n"
    wire.close()


async def test_a_client_that_ends_its_side_gets_its_250_before_the_connection_closes() -> None:
    bench = Bench()
    bench.spool.gate.clear()
    wire = connected(bench)
    wire.session.data_received(TO_DATA)
    wire.session.data_received(MESSAGE)
    assert wire.session.eof_received()  # the transport stays open for what is owed
    bench.spool.gate.set()
    while wire.is_open:
        await turns(1)
    assert wire.said.splitlines()[-1].startswith(b"250 2.0.0 Ok: queued as")


async def test_250_comes_only_after_the_commit() -> None:
    bench = Bench()
    bench.spool.gate.clear()
    wire = connected(bench)
    wire.send(TO_DATA)
    assert wire.send(MESSAGE) == b""
    await turns()
    assert wire.take() == b""
    bench.spool.gate.set()
    await turns()
    assert wire.take().startswith(b"250 2.0.0 Ok: queued as ")
    wire.close()


async def test_input_during_the_commit_waits_and_reading_pauses() -> None:
    bench = Bench()
    bench.spool.gate.clear()
    wire = connected(bench)
    wire.send(TO_DATA + MESSAGE)
    assert wire.pauses == 0
    assert wire.send(b"NOOP\r\n") == b""
    assert wire.pauses == 1
    bench.spool.gate.set()
    await turns()
    assert wire.take().count(b"250 2.0.0 Ok") == 2
    assert wire.reading
    wire.close()


async def test_commands_wait_for_a_client_that_does_not_read() -> None:
    wire = connected()
    wire.session.pause_writing()
    assert wire.send(b"NOOP\r\n" * 50) == b""
    assert wire.pauses == 1
    wire.session.resume_writing()
    assert wire.take().count(b"250") == 50
    assert wire.reading
    wire.close()


async def test_an_accepted_message_stays_accepted_when_its_client_is_gone() -> None:
    bench = Bench()
    bench.spool.gate.clear()
    wire = connected(bench)
    wire.send(TO_DATA + MESSAGE)
    wire.close()
    bench.spool.gate.set()
    await turns()
    assert bench.tally.accepted == len(bench.accepted) == 1
    assert bench.tally.accepted_bytes == bench.accepted[0].envelope.size
    assert bench.spool.open_bodies == 0


async def test_a_silent_client_is_told_and_closed() -> None:
    wire = connected()
    assert later(wire, limits.COMMAND_IDLE - 1) == b""
    assert later(wire, limits.COMMAND_IDLE + 1).startswith(b"421 4.4.2 ")
    assert wire.half_closed
    assert later(wire, 2 * limits.COMMAND_IDLE) == b""
    assert not wire.is_open


async def test_noop_for_ever_ends_with_the_session_time() -> None:
    wire = connected()
    wire.session.started -= 3601
    assert later(wire, 0).startswith(b"421 4.7.0 The session took too long")
    wire.close()


async def test_a_message_that_goes_on_fast_enough_outlives_the_session_time() -> None:
    wire = connected()
    wire.send(TO_DATA)
    wire.session.started -= 4000
    wire.session._receiving_since -= 100
    wire.send(b"x" * int(limits.DATA_RATE * 101))
    assert later(wire, 0) == b""
    wire.session._receiving_since -= 100
    assert later(wire, 0).startswith(b"421 4.7.0 ")
    wire.close()


async def test_a_message_that_is_refused_anyway_does_not_outlive_the_session_time() -> None:
    """Else one client could send at full speed for ever, to no end."""
    wire = connected()
    wire.send(TO_DATA + b"not a header\0\r\n")
    wire.session.started -= 3601
    wire.send(b"x" * int(limits.DATA_RATE * 101))
    assert later(wire, 0).startswith(b"421 4.7.0 ")
    wire.close()


async def test_a_message_that_stands_still_is_given_up() -> None:
    bench = Bench()
    wire = connected(bench)
    wire.send(TO_DATA + b"From: app@example.com\r\n\r\nhalf")
    assert bench.spool.open_bodies == 1
    assert later(wire, limits.DATA_IDLE - 1) == b""
    assert later(wire, limits.DATA_IDLE + 1).startswith(b"421 4.4.2 ")
    assert bench.spool.open_bodies == 0
    wire.close()


async def test_a_slow_commit_is_never_cut() -> None:
    bench = Bench()
    bench.spool.gate.clear()
    wire = connected(bench)
    wire.send(TO_DATA + MESSAGE)
    assert later(wire, 100_000) == b""
    bench.spool.gate.set()
    await turns()
    assert wire.take().startswith(b"250 ")
    wire.close()


async def test_an_exception_in_a_policy_is_451_and_its_text_stays_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("password hunter2")

    monkeypatch.setattr("mailhaul_relay.smtpin.session.admit_recipient", fail)
    bench = Bench()
    wire = connected(bench)
    said = wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nNOOP\r\n")
    assert said.split(b"\r\n")[2:4] == [
        b"451 4.3.0 Internal error, nothing was accepted; try again later",
        b"250 2.0.0 Ok",
    ]
    event = json.loads(bench.lines[-1])
    assert event["event"] == "handler-error"
    assert event["error"] == "RuntimeError"
    assert "hunter2" not in "".join(bench.lines)
    assert bench.tally.handler_errors == 1
    wire.close()


async def test_an_exception_of_the_store_names_the_message_in_the_log() -> None:
    bench = Bench()
    bench.spool.broken = RuntimeError("inside")
    wire = connected(bench)
    wire.send(TO_DATA + MESSAGE)
    await turns()
    assert wire.take().startswith(b"451 4.3.0 ")
    assert len(json.loads(bench.lines[-1])["id"]) == 16
    wire.close()


async def test_one_event_for_an_accepted_message_and_none_for_commands() -> None:
    bench = Bench()
    wire = connected(bench)
    wire.send(TO_DATA + MESSAGE + b"NOOP\r\nRSET\r\n")
    await turns()
    events = [json.loads(line) for line in bench.lines]
    assert [event["event"] for event in events] == ["accepted"]
    assert events[0]["id"] == bench.accepted[0].id
    assert events[0]["recipients"] == ["joe@example.net"]
    wire.close()


async def test_a_new_configuration_judges_the_client_anew() -> None:
    bench = Bench()
    wire = connected(bench)
    bench.intake.current = running_of({"clients": {"allowedNetworks": ["10.0.0.0/8"]}})
    said = wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n")
    assert b"550 5.7.1 " in said
    wire.close()


async def test_one_message_is_judged_by_the_configuration_of_its_mail() -> None:
    bench = Bench()
    wire = connected(bench)
    wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\n")
    bench.intake.current = running_of({"clients": {"allowedNetworks": ["10.0.0.0/8"]}})
    assert wire.send(b"RCPT TO:<b@example.net>\r\n").startswith(b"250 ")
    wire.close()


async def test_refusals_without_end_end_the_session() -> None:
    wire = connected(Bench(running_of({"clients": {}})))
    wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\n")
    said = b"".join(wire.send(b"RCPT TO:<b@example.net>\r\n") for _ in range(limits.REFUSALS + 5))
    assert said.count(b"550 5.7.1 ") == limits.REFUSALS
    assert said.endswith(b"421 4.7.0 Too many refused senders, recipients and messages\r\n")
    wire.close()


async def test_a_stranger_cannot_fill_the_disk_with_our_log() -> None:
    bench = Bench(running_of({"clients": {}}))
    wire = connected(bench)
    wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\n")
    for _ in range(limits.REFUSALS):
        wire.send(b"RCPT TO:<b@example.net>\r\n")
    assert len(bench.lines) <= limits.REFUSALS_TOLD + limits.REFUSALS // 100
    assert '"so_far":1000' in bench.lines[-1]
    wire.close()


async def test_bulk_recipients_over_the_limit_cost_one_log_line() -> None:
    bench = Bench(running_of({"limits": {"recipients": 1}}))
    wire = connected(bench)
    wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n")
    said = wire.send(b"RCPT TO:<c@example.net>\r\n" * 500)
    await turns(6)
    said += wire.take()
    assert said.count(b"452 4.5.3 ") == 500
    assert len(bench.lines) == 1
    wire.close()


async def test_one_session_does_not_keep_the_others_waiting() -> None:
    wire = connected()
    assert wire.send(b"NOOP\r\n" * 350).count(b"250 ") == limits.COMMANDS_A_TURN
    assert wire.pauses == 1
    await turns()
    assert wire.take().count(b"250 ") == 350 - limits.COMMANDS_A_TURN
    assert wire.reading
    wire.close()


async def test_talk_without_mail_ends_the_session() -> None:
    wire = connected()
    said = b""
    for _ in range(limits.IDLE_TALK + 1):
        said += wire.send(b"NOOP\r\n")
    assert said.count(b"250 ") == limits.IDLE_TALK + 1
    assert said.endswith(b"421 4.7.0 Too many commands without mail\r\n")
    wire.close()


async def test_what_an_alias_leads_to_is_limited() -> None:
    many = [f"user{number}@example.net" for number in range(100)]
    entries = [
        {
            "namespace": "a",
            "name": f"list{i}",
            "value": f"list{i}@example.org",
            "destinations": [f"{i}x{m}" for m in many],
        }
        for i in range(12)
    ]
    wire = connected(Bench(running_of({"aliases": {"domains": ["example.org"], "entries": entries}})))
    wire.send(b"HELO x\r\nMAIL FROM:<a@example.com>\r\n")
    said = wire.send(b"".join(f"RCPT TO:<list{i}@example.org>\r\n".encode() for i in range(12)))
    assert said.count(b"250 2.1.5 ") == 10
    assert said.count(b"452 4.5.3 ") == 2
    wire.close()


@settings(max_examples=150)
@given(
    st.lists(
        st.binary(max_size=80) | st.sampled_from([TO_DATA, MESSAGE, b"\r\n", b"RSET\r\n", b"QUIT\r\n"]), max_size=20
    )
)
def test_random_octets_never_raise_and_leave_nothing(chunks: list[bytes]) -> None:
    async def converse() -> None:
        bench = Bench()
        wire = connected(bench)
        for chunk in chunks:
            wire.send(chunk)
            await turns(2)
        await turns()
        wire.close()
        assert bench.tally.sessions_open == 0
        assert bench.tally.handler_errors == 0
        assert bench.spool.open_bodies == 0
        assert all(isinstance(one, Message) for one in bench.accepted)

    asyncio.run(converse())


async def test_a_refusal_tells_no_address_when_addresses_are_redacted() -> None:
    bench = Bench(running_of({"clients": {}, "aliases": {"domains": ["example.org"]}}))
    bench.log.redact = True
    wire = connected(bench)
    wire.send(b"HELO x\r\nMAIL FROM:<secret@example.com>\r\nRCPT TO:<hidden@example.org>\r\n")
    assert len(bench.lines) == 1
    assert "hidden" not in bench.lines[0]
    assert "secret" not in bench.lines[0]
    wire.close()


async def test_a_postmaster_who_is_one_recipient_too_many_for_now_is_not_told_to_be_nobody() -> None:
    entries = [
        {"namespace": "a", "name": f"l{at}", "type": "Exact", "value": f"l{at}@example.com"}
        | {"destinations": [f"r{at}-{to}@example.net" for to in range(100)]}
        for at in range(10)
    ]
    wire = connected(Bench(running_of({"aliases": {"domains": ["example.com"], "entries": entries}})))
    wire.send(b"EHLO x\r\nMAIL FROM:<app@example.com>\r\n")
    lists = b"".join(b"RCPT TO:<l%d@example.com>\r\n" % at for at in range(10))
    assert wire.send(lists) == b"250 2.1.5 Ok\r\n" * 10
    assert wire.send(b"RCPT TO:<postmaster>\r\n").startswith(b"452 4.5.3 ")
    wire.close()
