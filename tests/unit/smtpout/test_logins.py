"""Which credential a connection logs in with: one attempt of a refused one, and mail goes on with the one before."""

import asyncio

import pytest

from mailhaul_contract.report import CredentialState
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.policy.credentials import Standing
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.smtpout.breakdown import UnusableError
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.connection import Connection
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.wire import Wire

NEW, OLD = Credential("u", "new"), Credential("u", "old")
WRONG = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "5.7.8", "bad password"))
DOWN = Outcome(Verdict.RETRY, Stage.CONNECT, Fault.CONNECTION, detail="connection refused")


class Provider:
    """An upstream that takes some credentials. `tried` are the passwords that it saw."""

    def __init__(self, *accepted: Credential) -> None:
        self.accepted = set(accepted)
        self.is_down = False
        self.tried: list[str] = []
        self.gate: asyncio.Event | None = None

    async def dial(self, credential: Credential | None) -> Connection:
        if self.is_down:
            raise UnusableError(DOWN)
        if credential is not None:
            self.tried.append(credential.password)
            if credential == NEW and self.gate is not None:
                await self.gate.wait()
            if credential not in self.accepted:
                raise UnusableError(WRONG)
        return Connection(Wire(asyncio.get_running_loop(), Outbox()), Capabilities())


def _is_wanted(logins: Logins) -> bool:
    return logins.wants_login


async def _outcome(logins: Logins, provider: Provider) -> Outcome:
    with pytest.raises(UnusableError) as caught:
        await logins.open(provider.dial)
    return caught.value.outcome


async def test_a_login_with_the_current_credential_proves_it() -> None:
    logins, provider = Logins(NEW, OLD), Provider(NEW, OLD)
    assert not (await logins.open(provider.dial)).by_previous
    assert logins.standing == Standing(CredentialState.PROVED)
    assert provider.tried == ["new"]


async def test_an_upstream_without_credentials_proves_nothing() -> None:
    logins = Logins(None, OLD)
    await logins.open(Provider().dial)
    assert logins.standing.state is CredentialState.UNPROVED
    assert logins.previous is None


async def test_a_refused_credential_gives_way_to_the_previous_one_and_is_tried_again_when_it_is_due() -> None:
    clock = VirtualClock()
    logins, provider = Logins(NEW, OLD, clock), Provider(OLD)
    assert (await logins.open(provider.dial)).by_previous
    assert (logins.standing.state, logins.standing.refusal) == (CredentialState.PREVIOUS, WRONG)
    assert (await logins.open(provider.dial)).by_previous
    assert provider.tried == ["new", "old", "old"]
    assert not _is_wanted(logins)
    clock.advance(301)
    assert _is_wanted(logins)
    assert (await logins.open(provider.dial)).by_previous
    assert provider.tried[3:] == ["new", "old"]
    clock.advance(899)
    assert not _is_wanted(logins)
    clock.advance(1)
    provider.accepted.add(NEW)
    assert not (await logins.open(provider.dial)).by_previous
    assert logins.standing == Standing(CredentialState.PROVED)
    assert not logins.keeps_previous


async def test_with_both_refused_the_words_are_those_about_the_current_one_and_nobody_logs_in_before_it_is_due() -> (
    None
):
    clock = VirtualClock()
    logins, provider = Logins(NEW, OLD, clock), Provider()
    assert await _outcome(logins, provider) == WRONG
    assert logins.standing.state is CredentialState.REFUSED
    assert await _outcome(logins, provider) == WRONG
    assert provider.tried == ["new", "old"]
    clock.advance(300)
    await _outcome(logins, provider)
    assert provider.tried[2:] == ["new", "old"]


async def test_without_a_previous_credential_a_refused_one_is_not_tried_again_before_its_time() -> None:
    clock = VirtualClock()
    logins, provider = Logins(NEW, None, clock), Provider()
    logins.refused(WRONG)  # by a probe
    assert await _outcome(logins, provider) == WRONG
    assert provider.tried == []
    clock.advance(300)
    await _outcome(logins, provider)
    assert provider.tried == ["new"]


async def test_other_mail_goes_with_the_previous_credential_while_the_current_one_is_being_tried() -> None:
    logins, provider = Logins(NEW, OLD), Provider(NEW, OLD)
    provider.gate = asyncio.Event()
    first = asyncio.ensure_future(logins.open(provider.dial))
    await asyncio.sleep(0)
    assert not logins.wants_login
    other = await logins.open(provider.dial)
    assert other.by_previous
    assert logins.standing.state is CredentialState.UNPROVED
    provider.gate.set()
    assert not (await first).by_previous
    assert provider.tried == ["new", "old"]
    assert not logins.keeps_previous


async def test_a_previous_credential_that_was_revoked_is_no_verdict_on_a_current_one_that_is_being_tried() -> None:
    logins, provider = Logins(NEW, OLD), Provider(NEW)
    provider.gate = asyncio.Event()
    first = asyncio.ensure_future(logins.open(provider.dial))
    await asyncio.sleep(0)
    other = asyncio.ensure_future(logins.open(provider.dial))
    await asyncio.sleep(0)
    provider.gate.set()
    assert not (await first).by_previous
    assert not (await other).by_previous
    assert logins.standing.state is CredentialState.PROVED


async def test_a_dead_upstream_says_nothing_of_a_credential() -> None:
    logins, provider = Logins(NEW, OLD), Provider(NEW, OLD)
    provider.is_down = True
    assert await _outcome(logins, provider) == DOWN
    assert logins.standing == Standing()
    assert logins.wants_login


async def test_a_previous_credential_that_is_taken_away_stops_being_used() -> None:
    logins, provider = Logins(NEW, OLD), Provider(OLD)
    await logins.open(provider.dial)
    logins.replace_previous(None)
    assert logins.standing.state is CredentialState.REFUSED
    assert not logins.keeps_previous
    assert await _outcome(logins, provider) == WRONG
    assert provider.tried == ["new", "old"]


async def test_a_login_with_a_previous_credential_that_was_replaced_meanwhile_says_nothing_of_the_next_one() -> None:
    logins, provider = Logins(NEW, OLD), Provider()
    logins.refused(WRONG)
    newer = Credential("u", "newer")

    async def dial(credential: Credential | None) -> Connection:
        logins.replace_previous(newer)
        return await provider.dial(credential)

    with pytest.raises(UnusableError):
        await logins.open(dial)
    provider.accepted.add(newer)
    assert (await logins.open(provider.dial)).by_previous


async def test_each_new_state_is_told_once() -> None:
    logins, provider = Logins(NEW, OLD), Provider(OLD)
    told: list[CredentialState] = []
    logins.on_change = lambda _, standing: told.append(standing.state)
    await logins.open(provider.dial)
    await logins.open(provider.dial)
    assert told == [CredentialState.REFUSED, CredentialState.PREVIOUS]
