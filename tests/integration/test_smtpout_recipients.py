"""Each recipient's outcome is its own; recipients over a limit go in further transactions."""

import pytest
from tests.support.outgoing import CREDENTIAL, outgoing, transmission
from tests.support.queueing import Desk, mail, upstream
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.message import State
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict

pytestmark = pytest.mark.integration
PIPELINING = pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=["pipelining", "in-turn"])


@PIPELINING
async def test_a_refused_recipient_does_not_stop_the_others(extensions: list[str]) -> None:
    script = {"extensions": extensions, "recipients": {"no@example.net": "550 5.1.1 User unknown"}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        outcomes = await out.send("yes@example.net", "no@example.net", "also@example.net")
        assert [one.verdict for one in outcomes] == [Verdict.DELIVERED, Verdict.FAILED, Verdict.DELIVERED]
        assert [one.recipients for one in server.accepted] == [("yes@example.net", "also@example.net")]


@PIPELINING
async def test_a_refused_content_is_the_fate_of_accepted_recipients_only(extensions: list[str]) -> None:
    script = {
        "extensions": extensions,
        "recipients": {"no@example.net": "550 5.1.1 User unknown"},
        "steps": {"dot": "451 4.3.0 Temporary local problem"},
    }
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        outcomes = await out.send("yes@example.net", "no@example.net")
        assert [one.verdict for one in outcomes] == [Verdict.RETRY, Verdict.FAILED]


@PIPELINING
async def test_when_all_recipients_are_refused_no_content_is_sent(extensions: list[str]) -> None:
    script = {"extensions": extensions, "steps": {"rcpt": "550 5.1.1 User unknown"}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        for _ in range(2):
            outcomes = await out.send("a@example.net", "b@example.net")
            assert {one.verdict for one in outcomes} == {Verdict.FAILED}
        assert server.messages == []
        assert server.connections == 1
        assert "1 RSET" in server.commands


async def test_when_data_is_taken_though_no_recipient_was_the_connection_goes() -> None:
    script = {"steps": {"rcpt": "550 5.1.1 User unknown", "data": "354 go ahead"}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.FAILED
        assert server.messages == []
        server.play({})
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED
        assert server.connections == 2


async def test_recipients_are_split_by_the_providers_limit() -> None:
    names = [f"r{number}@example.net" for number in range(7)]
    async with ScriptedServer() as server, outgoing(server.port, behavior={"maxRecipients": 3}) as out:
        outcomes = await out.send(*names)
        assert {one.verdict for one in outcomes} == {Verdict.DELIVERED}
        assert [one.recipients for one in server.accepted] == [tuple(names[:3]), tuple(names[3:6]), tuple(names[6:])]
        assert server.connections == 1


@PIPELINING
@pytest.mark.parametrize(
    "reply",
    [
        "452 4.5.3 Error: too many recipients",
        "552 5.5.3 Too many recipients",
        "452 no more",
        "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again.",
        "452 4.5.3 Domain policy size per transaction exceeded, please try this recipient in a separate transaction.",
    ],
)
async def test_recipients_refused_as_too_many_go_in_a_new_transaction(reply: str, extensions: list[str]) -> None:
    late = {"c@example.net": reply, "d@example.net": reply}
    script = {"extensions": extensions, "recipients": late}
    async with ScriptedServer(script) as server, outgoing(server.port, profile="gmail") as out:
        server.at_message = lambda number: server.play({"extensions": extensions}) if number == 1 else None
        outcomes = await out.send("a@example.net", "b@example.net", "c@example.net", "d@example.net")
        assert {one.verdict for one in outcomes} == {Verdict.DELIVERED}
        assert [one.recipients for one in server.accepted] == [
            ("a@example.net", "b@example.net"),
            ("c@example.net", "d@example.net"),
        ]


async def test_before_each_further_transaction_it_is_asked_whether_there_may_be_one() -> None:
    asked: list[int] = []
    held = Outcome(Verdict.HOLD, Stage.RELAY, Fault.QUOTA, detail="used up")

    def further(taken: int) -> Outcome | None:
        asked.append(taken)
        return held if taken == 2 else None

    async with ScriptedServer() as server, outgoing(server.port, behavior={"maxRecipients": 1}) as out:
        names = [f"r{number}@example.net" for number in range(4)]
        delivery = await out.deliver(transmission(*names, further=further))
        assert asked == [1, 2]
        assert [one.verdict for one in delivery.outcomes] == [Verdict.DELIVERED] * 2 + [Verdict.HOLD] * 2
        assert all(one is held for one in delivery.outcomes[2:])
        assert (len(server.messages), delivery.transactions) == (2, 2)


async def test_a_provider_that_takes_a_recipient_at_a_time_gets_none_beyond_its_quota() -> None:
    desk = Desk(upstreams=[upstream("a", quotas=[{"period": "Day", "limit": 2}])])
    way = desk.ways.way("a")
    assert way is not None
    names = [f"r{number}@example.net" for number in range(30)]
    reply = (
        "452 4.5.3 Domain policy size per transaction exceeded, please try this recipient in a separate transaction."
    )
    async with ScriptedServer() as server, outgoing(server.port, profile="gmail") as out:

        def only(first: int) -> None:
            server.play({"recipients": dict.fromkeys(names[:first] + names[first + 1 :], reply)})

        server.at_message = only
        only(0)
        way.lane.transport = out.transport
        held = await desk.send(mail("m1", *names))
        assert len(server.messages) == 2
        assert held is not None
        assert [one.state for one in held.progress] == [State.DELIVERED] * 2 + [State.HELD] * 28
    (quota,) = way.quotas
    assert (quota.used, quota.under_way) == (2, 0)


async def test_too_many_is_only_late_when_nobody_else_was_taken() -> None:
    async with (
        ScriptedServer({"steps": {"rcpt": "452 4.5.3 Too many recipients"}}) as server,
        outgoing(server.port) as out,
    ):
        outcomes = await out.send("a@example.net", "b@example.net")
        assert {one.verdict for one in outcomes} == {Verdict.RETRY}


async def test_a_full_mailbox_is_no_new_transaction() -> None:
    full = {"full@example.net": "452 4.2.2 The email account that you tried to reach is over quota."}
    async with ScriptedServer({"recipients": full}) as server, outgoing(server.port) as out:
        outcomes = await out.send("a@example.net", "full@example.net")
        assert [one.verdict for one in outcomes] == [Verdict.DELIVERED, Verdict.RETRY]
        assert len(server.messages) == 1


async def test_what_concerns_the_whole_upstream_stops_the_remaining_transactions() -> None:
    script = {"steps": {"dot": "550 5.4.5 Daily sending quota exceeded"}}
    async with ScriptedServer(script) as server, outgoing(server.port, behavior={"maxRecipients": 1}) as out:
        outcomes = await out.send("a@example.net", "b@example.net", "c@example.net")
        assert {(one.verdict, one.fault) for one in outcomes} == {(Verdict.HOLD, Fault.QUOTA)}
        assert len(server.messages) == 1


async def test_an_unknown_outcome_is_not_spread_to_recipients_that_were_not_sent() -> None:
    script = {"steps": {"dot": "drop"}}
    async with ScriptedServer(script) as server, outgoing(server.port, behavior={"maxRecipients": 1}) as out:
        outcomes = await out.send("a@example.net", "b@example.net")
        assert [one.verdict for one in outcomes] == [Verdict.UNKNOWN, Verdict.RETRY]
        assert len(server.messages) == 1


async def test_421_at_a_recipient_ends_the_connection_and_is_tried_again() -> None:
    script = {"recipients": {"b@example.net": "421 4.3.2 closing"}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        outcomes = await out.send("a@example.net", "b@example.net")
        assert {one.verdict for one in outcomes} == {Verdict.RETRY}
        assert server.messages == []
        assert out.tally.connections_open == 0


async def test_a_recipient_named_twice_is_sent_once_and_answered_twice() -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        outcomes = await out.send("a@example.net", "a@example.net")
        assert [one.verdict for one in outcomes] == [Verdict.DELIVERED, Verdict.DELIVERED]
        assert server.accepted[0].recipients == ("a@example.net",)


async def test_a_connection_lost_among_the_recipients_keeps_what_was_said_of_each() -> None:
    script = {"recipients": {"a@example.net": "550 5.1.1 User unknown"}, "steps": {"data": "drop"}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        outcomes = (await out.deliver(transmission("a@example.net", "b@example.net"))).outcomes
        assert [one.verdict for one in outcomes] == [Verdict.FAILED, Verdict.RETRY]


@pytest.mark.parametrize(
    ("reply", "profile", "verdict"),
    [
        ("550 5.1.1 <b@example.net>: Recipient address rejected: User unknown", "smtp", Verdict.FAILED),
        ("552 5.2.2 Mailbox full", "smtp", Verdict.FAILED),
        ("452 4.2.2 Mailbox full", "smtp", Verdict.RETRY),
        ("550 You tried to send to a recipient that has been marked as inactive.", "postmark", Verdict.FAILED),
        ("550 Mailgun sandbox domains are for test purposes only.", "mailgun", Verdict.HOLD),
        ("554 5.7.1 <b@example.net>: we would rather not", "smtp", Verdict.HOLD),
        ("451 4.7.1 <b@example.net>: come back another day", "smtp", Verdict.RETRY),
    ],
)
async def test_a_recipient_refused_after_the_dot_is_no_verdict_on_the_others(
    reply: str, profile: str, verdict: Verdict
) -> None:
    names = ("a@example.net", "b@example.net", "c@example.net")
    async with ScriptedServer({"steps": {"dot": reply}}) as server, outgoing(server.port, profile=profile) as out:
        # The first refusal is of all, the third message is that of the recipient in question.
        server.at_message = lambda number: server.play({"steps": {"dot": reply}} if number == 2 else {})
        delivery = await out.deliver(transmission(*names))
        assert [one.verdict for one in delivery.outcomes] == [Verdict.DELIVERED, verdict, Verdict.DELIVERED]
        assert [one.recipients for one in server.messages] == [names, *((name,) for name in names)]
        assert delivery.transactions == 2


async def test_a_quota_of_nobody_knows_whom_after_the_dot_is_not_tried_recipient_by_recipient() -> None:
    script = {"steps": {"dot": "552 5.7.0 Quota exceeded"}}
    async with ScriptedServer(script) as server, outgoing(server.port) as out:
        outcomes = await out.send("a@example.net", "b@example.net")
        assert {one.verdict for one in outcomes} == {Verdict.HOLD}
        assert len(server.messages) == 1


async def test_content_refused_for_some_recipients_is_no_verdict_on_those_that_were_not_sent() -> None:
    script = {"steps": {"dot": {"reply": "554 5.7.1 Message contains spam", "times": 1}}}
    async with ScriptedServer(script) as server, outgoing(server.port, behavior={"maxRecipients": 1}) as out:
        outcomes = await out.send("a@example.net", "b@example.org")
        assert [one.verdict for one in outcomes] == [Verdict.FAILED, Verdict.DELIVERED]


@PIPELINING
@pytest.mark.parametrize(
    "reply",
    [
        "550 5.7.1 Sender not allowed to post to this list",
        "554 5.7.1 <list@example.org>: Relay access denied",
        "550 5.7.1 Authentication required to write to this group",
    ],
)
async def test_a_recipient_that_refuses_a_sender_whom_the_upstream_takes_is_no_refusal_of_the_sender(
    reply: str, extensions: list[str]
) -> None:
    desk = Desk(upstreams=[upstream("a")])
    way = desk.ways.way("a")
    assert way is not None
    script = {"extensions": extensions, "recipients": {"list@example.org": reply}}
    names = ("a@example.net", "list@example.org", "b@example.net")
    for most in (100, 1):
        async with ScriptedServer(script) as server, outgoing(server.port, behavior={"maxRecipients": most}) as out:
            way.lane.transport = out.transport
            held = await desk.send(mail(f"m{most}", *names))
            assert [one.recipients for one in server.accepted] in [[(names[0], names[2])], [names[:1], names[2:]]]
        assert held is not None
        assert [one.state for one in held.progress] == [State.DELIVERED, State.HELD, State.DELIVERED]
        assert held.progress[1].fault == Fault.RECIPIENT.value
        assert not way.refused_senders
        assert not way.envelopes.domains
        assert not way.current.is_open


@pytest.mark.parametrize("reply", ["530 5.7.0 Authentication required", "550 5.7.1 Login required for this group"])
async def test_a_recipient_that_wants_a_login_after_ours_was_taken_stops_nobody_else(reply: str) -> None:
    script = {"extensions": ["AUTH PLAIN"], "recipients": {"list@example.org": reply}}
    accounts = {"accounts": {CREDENTIAL.username: CREDENTIAL.password}}
    async with ScriptedServer({**script, **accounts}) as server:
        async with outgoing(server.port, auth="Plain") as out:
            (outcome,) = await out.send("list@example.org")
            assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.RECIPIENT)
        server.play(script)
        async with outgoing(server.port) as out:
            (outcome,) = await out.send("list@example.org")
            assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
