"""Probes on request: none too soon, none that logs in against the rule, and what follows from their findings."""

import asyncio
from typing import Any

import pytest
from tests.support.queueing import REFUSED_CONNECTION, WRONG_PASSWORD, Desk, mail, upstream

from mailhaul_contract.report import BreakerState, CredentialState, ProbeStage
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Credential, Secrets
from mailhaul_relay.policy.unmatched import Kind
from mailhaul_relay.queue.prober import INTERVAL, Answer, Asked, Prober
from mailhaul_relay.queue.way import Way
from mailhaul_relay.smtpout.probe import Findings, Login
from mailhaul_relay.smtpout.unmatched_replies import UnmatchedReplies

OLD = Secrets(revision="r1", credentials={"a": Credential("u", "old-canary")})
NEW = Secrets(revision="r2", credentials={"a": Credential("u", "new-canary")})
BOTH = Secrets(revision="r2", credentials=NEW.credentials, previous=OLD.credentials)
ONLY_A: dict[str, Any] = {"upstreams": [upstream("a", auth="Plain")]}
REACHED = (ProbeStage.CONNECT, ProbeStage.TLS, ProbeStage.EHLO)
PASSED = Findings((*REACHED, ProbeStage.AUTH))
REFUSED = Findings(REACHED, ProbeStage.AUTH, WRONG_PASSWORD)
NO_SUCH_SENDER = Outcome(Verdict.HOLD, Stage.MAIL, Fault.SENDER, Reply(550, "5.7.1", "not your domain"))


class Lab:
    """A desk with a prober whose probes find what they are told to."""

    def __init__(self, findings: Findings = PASSED, **config: Any) -> None:  # noqa: ANN401 - fields of RelayConfig
        self.findings = findings
        self.by_login: dict[Credential | None, Findings] = {}
        self.logins: list[Login] = []
        self.gate: asyncio.Event | None = None
        self.desk = Desk(**({"secrets": OLD} | ONLY_A | config))
        self.prober = Prober(self.desk.ways, self.desk.log, self.desk.clock, self._run)

    @property
    def way(self) -> Way:
        way = self.desk.ways.way("a")
        assert way is not None
        return way

    async def probe(self) -> None:
        assert self.prober.ask("a") == Asked(Answer.STARTED)
        for _ in range(5):
            await asyncio.sleep(0)

    async def _run(self, _: Upstream, __: str, login: Login) -> Findings:
        self.logins.append(login)
        if self.gate is not None:
            await self.gate.wait()
        if login.barred is not None:
            return Findings(REACHED, ProbeStage.AUTH, login.barred)
        return self.by_login.get(login.credential, self.findings)


def _stages(way: Way) -> dict[ProbeStage, bool]:
    assert way.probe is not None
    return {one.stage: one.passed for one in way.probe.stages}


async def test_a_probe_that_logs_in_proves_the_credential_and_is_in_the_report() -> None:
    lab = Lab()
    await lab.probe()
    assert lab.way.credential is CredentialState.PROVED
    assert _stages(lab.way) == dict.fromkeys((*REACHED, ProbeStage.AUTH), True)
    assert "canary" not in "".join(lab.desk.lines)


async def test_the_first_failing_stage_is_told_with_the_upstreams_words() -> None:
    lab = Lab(Findings((*REACHED, ProbeStage.AUTH), ProbeStage.SENDER, NO_SUCH_SENDER))
    await lab.probe()
    assert lab.way.probe is not None
    last = lab.way.probe.stages[-1]
    assert (last.stage, last.passed) == (ProbeStage.SENDER, False)
    assert last.reply is not None
    assert (last.reply.code, last.reply.text, last.reply.fault) == (550, "not your domain", "sender")
    assert lab.way.credential is CredentialState.PROVED
    assert lab.way.refused_senders == frozenset()


async def test_a_probe_opens_no_breaker_and_its_refused_login_is_not_repeated_by_the_next_probe() -> None:
    lab = Lab(REFUSED)
    await lab.probe()
    assert lab.way.breaker is BreakerState.CLOSED
    assert lab.way.credential is CredentialState.REFUSED
    refused_at = lab.desk.clock()
    lab.desk.clock.advance(60)
    await lab.probe()
    assert [one.barred for one in lab.logins] == [None, WRONG_PASSWORD]
    assert lab.way.probe is not None
    reply = lab.way.probe.stages[-1].reply
    assert reply is not None
    assert (reply.time, lab.way.probe.time) == (refused_at, refused_at + 60)
    lab.desk.clock.advance(240)
    await lab.probe()
    assert lab.logins[-1].barred is None


async def test_no_probe_logs_in_while_the_breaker_waits_for_its_next_login() -> None:
    lab = Lab()
    lab.desk.script("a", (WRONG_PASSWORD,))
    await lab.desk.send(mail("m1"))
    await lab.probe()
    barred = lab.logins[0].barred
    assert barred is not None
    assert "bad password" in barred.text
    assert lab.way.breaker is BreakerState.OPEN


async def test_a_refused_login_of_a_probe_is_the_trial_of_a_breaker_that_waits_for_one() -> None:
    lab = Lab(REFUSED)
    lab.desk.script("a", (WRONG_PASSWORD,))
    await lab.desk.send(mail("m1"))
    lab.desk.clock.advance(301)
    lab.gate = asyncio.Event()
    await lab.probe()
    assert not lab.way.permits(lab.desk.clock())  # no mail tries the same password meanwhile
    lab.gate.set()
    await asyncio.sleep(0.01)
    assert lab.way.next_attempt == lab.desk.clock() + 900
    assert not lab.way.on_trial


async def test_a_probe_beside_a_mail_on_trial_does_not_log_in_and_counts_for_nothing() -> None:
    lab = Lab()
    lab.way.logins.refused(WRONG_PASSWORD)
    lab.desk.script("a", (WRONG_PASSWORD,))
    await lab.desk.send(mail("m1"))
    lab.desk.clock.advance(301)
    lab.way.on_trial = True
    await lab.probe()
    assert lab.logins[0].barred == WRONG_PASSWORD
    assert lab.way.logins.standing.failures == 1
    assert lab.way.on_trial


async def test_a_login_that_succeeds_lets_mail_go_that_was_held_for_a_refused_one() -> None:
    lab = Lab()
    lab.way.logins.refused(WRONG_PASSWORD)  # as the transport does
    lab.desk.script("a", (WRONG_PASSWORD,))
    await lab.desk.send(mail("m1"))
    lab.desk.clock.advance(301)
    await lab.probe()
    assert lab.way.breaker is BreakerState.CLOSED
    assert lab.way.credential is CredentialState.PROVED


async def test_a_breaker_that_mail_opened_after_its_login_is_not_closed_by_a_login() -> None:
    lab = Lab()
    lab.desk.script("a", (WRONG_PASSWORD,))  # no login was refused: as 530 at MAIL
    await lab.desk.send(mail("m1"))
    lab.desk.clock.advance(301)
    await lab.probe()
    assert lab.way.breaker is BreakerState.HALF_OPEN


async def test_a_session_that_comes_about_closes_the_breaker_of_a_dead_upstream() -> None:
    lab = Lab()
    lab.desk.script("a", (REFUSED_CONNECTION,))
    await lab.desk.send(mail("m1"))
    assert lab.way.fault == "connection"
    await lab.probe()
    assert lab.way.breaker is BreakerState.CLOSED


async def test_a_probe_that_cannot_connect_opens_no_breaker() -> None:
    lab = Lab(Findings((), ProbeStage.CONNECT, REFUSED_CONNECTION))
    await lab.probe()
    assert lab.way.breaker is BreakerState.CLOSED
    assert lab.way.credential is CredentialState.UNPROVED


async def test_one_probe_at_a_time_and_none_within_ten_seconds() -> None:
    lab = Lab()
    lab.gate = asyncio.Event()
    await lab.probe()
    assert lab.prober.ask("a") == Asked(Answer.TOO_SOON, 10)
    lab.gate.set()
    await asyncio.sleep(0.01)
    lab.desk.clock.advance(INTERVAL - 4.5)
    assert lab.prober.ask("a") == Asked(Answer.TOO_SOON, 5)
    lab.desk.clock.advance(5)
    await lab.probe()
    assert len(lab.logins) == 2


def _listing(lab: Lab) -> list[Kind]:
    """Have the replies that no rule knows listed."""
    seen: list[Kind] = []

    def give(up: Upstream) -> UnmatchedReplies:
        unmatched = UnmatchedReplies(up, lab.desk.tally.upstream(up.name), lab.desk.log)
        unmatched.saw = seen.append
        return unmatched

    lab.prober.unmatched = give
    return seen


async def test_a_reply_that_no_rule_knows_is_counted_and_listed_without_the_probes_sender() -> None:
    quirk = Outcome(Verdict.HOLD, Stage.MAIL, Fault.SENDER, Reply(550, "5.9.9", "quirk of app@own.example"))
    fields = upstream("a", auth="Plain", probe_sender="app@own.example")
    lab = Lab(Findings((*REACHED, ProbeStage.AUTH), ProbeStage.SENDER, quirk), upstreams=[fields])
    seen = _listing(lab)
    await lab.probe()
    assert seen == [Kind("smtp", "mail", 550, "5.9.9", "quirk of <address>")]
    assert lab.desk.tally.upstream("a").unmatched_replies == 1


@pytest.mark.parametrize("found", [PASSED, Findings((), ProbeStage.CONNECT, REFUSED_CONNECTION)])
async def test_a_probe_that_met_no_such_reply_lists_none(found: Findings) -> None:
    lab = Lab(found)
    seen = _listing(lab)
    await lab.probe()
    assert seen == []


async def test_a_refusal_that_bars_the_login_is_not_counted_again_with_each_probe() -> None:
    lab = Lab(REFUSED, secrets=BOTH)
    seen = _listing(lab)
    for _ in range(3):
        await lab.probe()
        lab.desk.clock.now += INTERVAL
    assert len(lab.logins) > 3
    # Each credential was refused once.
    assert [one.code for one in seen] == [535] * 2


async def test_changed_settings_are_probed_at_once_and_forget_the_result() -> None:
    lab = Lab()
    await lab.probe()
    lab.desk.reconfigure(OLD, upstreams=[upstream("a", auth="Plain", port=2525)])
    assert lab.way.probe is None
    await lab.probe()
    assert lab.way.probe is not None


async def test_a_changed_credential_forgets_the_result_and_what_is_known_of_it() -> None:
    lab = Lab(REFUSED)
    await lab.probe()
    lab.desk.reconfigure(NEW, **ONLY_A)
    assert (lab.way.probe, lab.way.credential, lab.way.credential_reply) == (None, CredentialState.UNPROVED, None)
    await lab.probe()
    assert lab.logins[-1] == Login(NEW.credentials["a"])


@pytest.mark.parametrize(
    "secrets",
    [
        Secrets(revision="r3", credentials=OLD.credentials),
        Secrets(revision="r3", credentials=OLD.credentials, previous={"a": Credential("u", "older")}),
    ],
)
async def test_other_reloads_keep_the_result_and_the_proof(secrets: Secrets) -> None:
    lab = Lab()
    await lab.probe()
    found, transport = lab.way.probe, lab.desk.transport("a")
    lab.desk.reconfigure(secrets, **ONLY_A, limits={"recipients": 7})
    assert (lab.way.probe, lab.way.credential) == (found, CredentialState.PROVED)
    assert lab.desk.transport("a") is transport
    assert lab.way.logins.previous == secrets.previous.get("a")


async def test_the_credential_of_another_provider_is_never_taken_for_a_previous_one() -> None:
    both = [upstream("a", auth="Plain"), upstream("b", auth="Plain", provider="a.previous")]
    secrets = Secrets(credentials={"a": Credential("u", "x")}, previous={"a": Credential("u", "of-another")})
    lab = Lab(secrets=secrets, upstreams=both)
    assert lab.way.logins.previous is None


async def test_what_cannot_be_probed_is_said() -> None:
    lab = Lab(upstreams=[upstream("a", kind="Capture")])
    assert lab.prober.ask("nobody") == Asked(Answer.UNKNOWN)
    assert lab.prober.ask("a") == Asked(Answer.CAPTURE)


async def test_a_stop_cuts_a_probe_off_and_starts_none() -> None:
    lab = Lab()
    lab.gate = asyncio.Event()
    await lab.probe()
    await lab.prober.stop()
    assert lab.way.probe is None
    assert lab.prober.ask("a") == Asked(Answer.STOPPING)


async def test_an_error_of_ours_is_logged_and_is_no_finding() -> None:
    lab = Lab()

    async def broken(_: Upstream, __: str, ___: Login) -> Findings:
        raise ValueError("canary")

    lab.prober = Prober(lab.desk.ways, lab.desk.log, lab.desk.clock, broken)
    await lab.probe()
    assert lab.way.probe is None
    assert "internal-error" in lab.desk.lines[-1]
    assert "canary" not in lab.desk.lines[-1]


async def test_a_probe_goes_on_with_the_previous_credential_as_mail_would() -> None:
    lab = Lab(REFUSED, secrets=BOTH)
    lab.by_login[OLD.credentials["a"]] = PASSED
    await lab.probe()
    assert [one.credential for one in lab.logins] == [NEW.credentials["a"], OLD.credentials["a"]]
    assert lab.way.credential is CredentialState.PREVIOUS
    assert lab.way.credential_reply is not None
    assert _stages(lab.way)[ProbeStage.AUTH]
    assert lab.way.breaker is BreakerState.CLOSED


async def test_a_later_probe_bars_the_refused_credential_and_proves_the_previous_one_again() -> None:
    lab = Lab(REFUSED, secrets=BOTH)
    lab.by_login[OLD.credentials["a"]] = PASSED
    await lab.probe()
    lab.desk.clock.now += INTERVAL
    await lab.probe()
    assert [one.credential for one in lab.logins if one.barred is None][1:] == [OLD.credentials["a"]] * 2
    assert lab.way.credential is CredentialState.PREVIOUS
    assert _stages(lab.way)[ProbeStage.AUTH]


async def test_with_both_credentials_refused_the_current_ones_refusal_is_told() -> None:
    lab = Lab(REFUSED, secrets=BOTH)
    await lab.probe()
    assert lab.way.credential is CredentialState.REFUSED
    assert _stages(lab.way)[ProbeStage.AUTH] is False
    lab.desk.clock.now += INTERVAL
    await lab.probe()
    assert len([one for one in lab.logins if one.barred is None]) == 2
