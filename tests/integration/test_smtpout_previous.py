"""Connections of a previous credential: used while the current one is refused, retired as soon as that is taken."""

import asyncio

import pytest
from tests.support.outgoing import CREDENTIAL, outgoing
from tests.support.scripted_server import ScriptedServer

from mailhaul_contract.report import CredentialState
from mailhaul_relay.model.outcome import Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.ports.clock import VirtualClock

pytestmark = pytest.mark.integration
PREVIOUS = Credential("before", "s3cret-of-before")
BEFORE = {"accounts": {PREVIOUS.username: PREVIOUS.password}}
BOTH = {"accounts": {PREVIOUS.username: PREVIOUS.password, CREDENTIAL.username: CREDENTIAL.password}}


def _logins(server: ScriptedServer) -> int:
    return len([one for one in server.commands if " AUTH " in one])


async def test_the_previous_credentials_connection_is_kept_and_retired_when_the_current_one_is_taken() -> None:
    clock = VirtualClock()
    async with (
        ScriptedServer(BEFORE) as server,
        outgoing(server.port, auth="Plain", previous=PREVIOUS, clock=clock) as out,
    ):
        for _ in range(3):
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.DELIVERED
        assert [one.user for one in server.messages] == ["before"] * 3
        assert (_logins(server), server.connections) == (2, 2)
        clock.advance(301)
        server.play(BOTH)
        await out.send()
        assert server.messages[-1].user == CREDENTIAL.username
        assert out.logins.standing.state is CredentialState.PROVED
        await asyncio.gather(out.send(), out.send())
        assert [one.user for one in server.messages[3:]] == [CREDENTIAL.username] * 3
        async with asyncio.timeout(5):
            while "2 QUIT" not in server.commands:  # noqa: ASYNC110 - a server of the same loop
                await asyncio.sleep(0.01)
        assert "s3cret" not in "".join(out.lines)


async def test_a_connection_that_is_busy_when_the_current_one_is_taken_ends_its_mail_and_goes() -> None:
    clock = VirtualClock()
    async with (
        ScriptedServer(BEFORE) as server,
        outgoing(server.port, auth="Plain", previous=PREVIOUS, clock=clock) as out,
    ):
        await out.send()
        server.play(BOTH | {"steps": {"dot": {"delay": 0.4, "times": 1}}})
        busy = asyncio.ensure_future(out.send())
        async with asyncio.timeout(5):
            while server.commands.count("2 DATA") < 2:  # noqa: ASYNC110 - a server of the same loop
                await asyncio.sleep(0.01)
            clock.advance(301)
            await out.send()
            assert out.logins.standing.state is CredentialState.PROVED
            assert (await busy)[0].verdict is Verdict.DELIVERED
            while "2 QUIT" not in server.commands:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_current_credential_that_is_still_refused_costs_one_login_and_no_mail() -> None:
    clock = VirtualClock()
    async with (
        ScriptedServer(BEFORE) as server,
        outgoing(server.port, auth="Login", previous=PREVIOUS, clock=clock) as out,
    ):
        await out.send()
        clock.advance(301)
        assert [(await out.send())[0].verdict for _ in range(3)] == [Verdict.DELIVERED] * 3
        assert out.logins.standing.state is CredentialState.PREVIOUS
        assert _logins(server) <= 4


async def test_with_both_refused_nothing_is_sent_and_the_next_mail_does_not_log_in() -> None:
    async with (
        ScriptedServer({"accounts": {"somebody": "else"}}) as server,
        outgoing(server.port, auth="Plain", previous=PREVIOUS, clock=VirtualClock()) as out,
    ):
        for _ in range(2):
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.HOLD
            assert outcome.reply is not None
            assert outcome.reply.code == 535
        assert _logins(server) == 2
