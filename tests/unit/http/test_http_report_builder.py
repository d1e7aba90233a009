"""The report says what the readings say, in the contract's form, and a reader gets the same back."""

from dataclasses import replace

from tests.support.readings import NOW, FakeUpstream, readings

from mailhaul_contract.report import (
    BreakerState,
    CredentialState,
    ProbeReport,
    ProbeStage,
    RelayReport,
    ReplyReport,
    StageReport,
)
from mailhaul_relay.http.report import MAX_ALIASES, MAX_REPLIES, build_report
from mailhaul_relay.telemetry.tally import Tally


def test_a_report_survives_the_way_to_its_reader() -> None:
    report = build_report(readings())
    sent = report.model_dump_json(by_alias=True)
    assert RelayReport.model_validate_json(sent, by_alias=True, by_name=False) == report


def test_identity_queue_and_totals_are_reported() -> None:
    report = build_report(readings())
    assert (report.namespace, report.name, report.pid) == ("mail", "relay", 4711)
    assert (report.digest, report.secret_revision) == ("sha256:feed", "rev1")
    assert (report.queue.held, report.queue.dead, report.queue.oldest) == (3, 4, NOW - 50)
    assert (report.accepted, report.delivered, report.failed) == (7, 5, 1)
    assert report.delivered_last_day == 5
    assert report.listeners[0].port == 2525


def test_each_configured_upstream_is_reported_with_its_breaker() -> None:
    primary, backup = build_report(readings()).upstreams
    assert (primary.name, primary.provider, primary.breaker) == ("primary", "mailtrap", BreakerState.OPEN)
    assert (primary.breaker_fault, primary.next_attempt) == ("auth", NOW + 240)
    assert primary.refused_senders == ("a.example", "b.example")
    assert primary.last_reply is not None
    assert primary.last_reply.code == 535
    assert (backup.breaker, backup.delivered, backup.last_reply) == (BreakerState.CLOSED, 0, None)


def test_what_is_known_of_a_credential_and_the_last_probe_are_reported() -> None:
    refusal = ReplyReport(time=NOW - 9, code=535, text="bad password", stage="auth", fault="auth")
    stages = (
        StageReport(stage=ProbeStage.CONNECT, passed=True),
        StageReport(stage=ProbeStage.EHLO, passed=False, reply=refusal),
    )
    known = FakeUpstream(
        "primary",
        credential=CredentialState.PREVIOUS,
        credential_reply=refusal,
        probe=ProbeReport(time=NOW, stages=stages),
    )
    primary, backup = build_report(replace(readings(), upstreams=(known,))).upstreams
    assert (primary.credential, primary.credential_reply) == (CredentialState.PREVIOUS, refusal)
    assert primary.probe == ProbeReport(time=NOW, stages=stages)
    assert (backup.credential, backup.credential_reply, backup.probe) == (CredentialState.UNPROVED, None, None)


def test_what_is_refused_is_reported_with_the_words_that_refused_it() -> None:
    reply = ReplyReport(time=NOW - 9, code=554, text="not verified", stage="end-of-data", fault="sender")
    many = {f"d{number:03}.example": reply for number in range(MAX_REPLIES + 5)}
    known = FakeUpstream("primary", refused_sender_replies=many, fault_text="550 over quota", opened=NOW - 99)
    primary = build_report(replace(readings(), upstreams=(known,))).upstreams[0]
    assert primary.refused_sender_replies == dict(list(many.items())[:MAX_REPLIES])
    assert (primary.breaker_text, primary.opened) == ("550 over quota", NOW - 99)


def test_the_endpoint_is_the_configured_one_until_a_connection_was_made() -> None:
    tally = Tally()
    assert build_report(readings(tally)).upstreams[0].endpoint == "live.example.net:587"
    tally.upstream("primary").endpoint = "live.example.net:2525"
    assert build_report(readings(tally)).upstreams[0].endpoint == "live.example.net:2525"


def test_a_reason_makes_the_relay_not_accepting() -> None:
    report = build_report(readings(not_accepting="stopping"))
    assert (report.accepting, report.not_accepting_reason) == (False, "stopping")


def test_aliases_are_ordered_and_bounded() -> None:
    tally = Tally()
    for number in range(MAX_ALIASES + 10):
        tally.alias(f"ns/a{number}").forwarded = 1
    aliases = build_report(readings(tally)).aliases
    assert len(aliases) == MAX_ALIASES
    assert [one.name for one in aliases] == sorted(one.name for one in aliases)


def test_routes_are_told_with_the_upstreams_that_they_may_take() -> None:
    routes = build_report(readings(Tally())).routes
    assert [(one.name, one.upstreams) for one in routes] == [("billing", ("backup",))]
