"""Whether mail leaves is judged from measured facts, and every cause has words and a remedy."""

import pytest

from mailhaul_contract.report import (
    BreakerState,
    QueueReport,
    RefusedConfig,
    RelayReport,
    ReplyReport,
    UpstreamReport,
)
from mailhaul_operator.assess.words import span
from mailhaul_operator.local.changes import changes
from mailhaul_operator.local.verdict import STALE_AFTER, judge

NOW = 1_700_010_000.0
AUTH = ReplyReport(
    time=NOW - 5,
    code=535,
    enhanced="5.7.8",
    text="Bad credentials",
    stage="auth",
    fault="auth",
    remedy="Rotate it.",
)


def upstream(name: str = "main", **fields: object) -> UpstreamReport:
    return UpstreamReport.model_validate({"name": name, "provider": name, "endpoint": f"{name}.example:587", **fields})


def out(name: str = "main", state: BreakerState = BreakerState.OPEN) -> UpstreamReport:
    return upstream(name, breaker=state, breaker_fault="auth", next_attempt=NOW + 300, last_reply=AUTH)


def report(**fields: object) -> RelayReport:
    base: dict[str, object] = {
        "namespace": "smtp",
        "name": "relay",
        "pid": 7,
        "started": NOW - 1000,
        "time": NOW,
        "digest": "sha256:0123456789abcdef",
        "accepting": True,
        "upstreams": (upstream(),),
        "last_delivery": NOW - 10,
    }
    return RelayReport.model_validate(base | fields)


def reasons(report: RelayReport) -> list[tuple[str, bool]]:
    return [(one.reason, one.blocks) for one in judge(report, NOW).causes]


@pytest.mark.parametrize("fault", ["connection", "tls", "auth", "quota", "throttle"])
def test_a_breaker_that_outlived_its_reply_still_has_a_remedy(fault: str) -> None:
    forgotten = upstream(breaker=BreakerState.OPEN, breaker_fault=fault, next_attempt=NOW + 60)
    (cause,) = judge(report(upstreams=(forgotten,)), NOW).causes
    assert len(cause.remedy.partition(";")[0]) > len("check the provider")


def test_a_delivery_and_no_cause_means_that_mail_leaves() -> None:
    verdict = judge(report(), NOW)
    assert (verdict.leaves, verdict.proved, verdict.causes) == (True, True, ())
    assert verdict.headline == "mail leaves"


def test_without_a_delivery_nothing_is_proved() -> None:
    verdict = judge(report(last_delivery=0), NOW)
    assert (verdict.leaves, verdict.proved) == (True, False)
    assert verdict.headline == "ready, no mail was sent yet"


def test_a_relay_that_does_not_accept_blocks_and_says_why() -> None:
    verdict = judge(report(accepting=False, not_accepting_reason="the disk is full"), NOW)
    assert not verdict.leaves
    assert "the disk is full" in verdict.causes[0].words


def test_no_upstream_blocks() -> None:
    assert reasons(report(upstreams=())) == [("NoUpstream", True)]


def test_one_upstream_out_of_two_is_told_and_does_not_block() -> None:
    assert reasons(report(upstreams=(out("a"), upstream("b")))) == [("UpstreamOut", False)]


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.HALF_OPEN])
def test_all_upstreams_out_or_on_trial_block_with_the_providers_words_and_remedy(state: BreakerState) -> None:
    verdict = judge(report(upstreams=(out("a", state), out("b"))), NOW)
    assert not verdict.leaves
    assert "535 5.7.8 Bad credentials (at auth)" in verdict.causes[0].words
    assert verdict.causes[0].remedy == "Rotate it; next try in 5 min"


def test_mail_that_waits_while_nothing_leaves_blocks_after_a_while_and_not_before() -> None:
    waiting = QueueReport(deferred=3, oldest=NOW - 5000)
    assert judge(report(queue=waiting, last_delivery=NOW - STALE_AFTER), NOW).leaves
    verdict = judge(report(queue=waiting, last_delivery=NOW - STALE_AFTER - 1, last_error=AUTH), NOW)
    assert [one.reason for one in verdict.causes] == ["NotDelivering"]
    assert "3 messages are waiting" in verdict.causes[0].words


def test_a_message_accepted_a_moment_ago_is_no_stall_though_the_last_delivery_is_old() -> None:
    assert judge(report(queue=QueueReport(queued=1, oldest=NOW - 2), last_delivery=NOW - 90_000), NOW).leaves


def test_a_from_refused_by_all_blocks_and_by_one_does_not() -> None:
    both = (upstream("a", refused_senders=("x.example",)), upstream("b", refused_senders=("x.example", "y.example")))
    assert reasons(report(upstreams=both)) == [("SenderRefused", True), ("SenderRefused", False)]


def test_what_does_not_block_is_told_after_what_does() -> None:
    refused = RefusedConfig(digest="sha256:1", time=NOW, reasons=("listeners: broken",))
    full = report(
        refused_config=refused,
        queue=QueueReport(held=1, dead=2, quarantined=3, oldest=NOW),
        client_identity_lost=4,
        accepting=False,
    )
    assert reasons(full) == [
        ("NotAccepting", True),
        ("ConfigRefused", False),
        ("MailHeld", False),
        ("DeadLetters", False),
        ("Quarantined", False),
        ("ClientIdentityLost", False),
    ]


def test_secrets_that_are_awaited_are_told() -> None:
    assert reasons(report(awaiting_secret_revision="r2")) == [("AwaitingSecrets", False)]


def test_every_cause_has_a_remedy() -> None:
    worst = report(
        accepting=False,
        upstreams=(out(),),
        queue=QueueReport(held=1, dead=1, oldest=1),
        last_delivery=0,
        awaiting_secret_revision="r",
    )
    assert all(one.words and one.remedy for one in judge(worst, NOW).causes)


def test_durations_are_in_the_unit_that_a_person_would_choose() -> None:
    assert [span(seconds) for seconds in (59, 300, 7200)] == ["59 s", "5 min", "2 h"]


def test_the_first_report_tells_what_runs_and_no_history() -> None:
    first = report(accepted=5, upstreams=(upstream(delivered=5),))
    assert changes(None, first)[0] == "runs configuration sha256:0123456789ab"


def test_what_happened_between_two_reports_is_told_once() -> None:
    before = report(upstreams=(upstream("a"), upstream("b")))
    after = report(
        accepted=2,
        upstreams=(out("a"), upstream("b", delivered=1, refused_senders=("x.example",))),
        queue=QueueReport(held=1, dead=1),
    )
    assert changes(before, after) == (
        "accepted 2 messages",
        "a is out (auth): 535 5.7.8 Bad credentials (at auth)",
        "b took 1 recipient",
        "b refuses mail from x.example",
        "1 message held",
        "1 message kept as dead letters",
    )
    assert changes(after, after) == ()


def test_an_upstream_that_recovers_is_told() -> None:
    assert changes(report(upstreams=(out(),)), report()) == ("main works again",)


def test_a_refused_configuration_is_told_with_its_reasons() -> None:
    refused = RefusedConfig(digest="sha256:1", time=NOW, reasons=("listeners: broken", "srs: none"))
    assert changes(report(), report(refused_config=refused)) == (
        "refused a configuration: listeners: broken; srs: none",
    )


def test_an_upstream_that_is_out_stops_mail_where_a_route_has_no_other() -> None:
    two = (upstream("main"), out("spare"))
    assert reasons(report(upstreams=two)) == [("UpstreamOut", False)]
    assert reasons(report(upstreams=two, routes=[{"name": "all", "upstreams": ["main", "spare"]}])) == [
        ("UpstreamOut", False)
    ]
    verdict = judge(report(upstreams=two, routes=[{"name": "billing", "upstreams": ["spare"]}]), NOW)
    assert not verdict.leaves
    assert verdict.causes[0].words.endswith("; route billing has no other, and its mail waits")


def test_a_route_without_upstreams_is_told() -> None:
    lost = report(routes=[{"name": "billing"}])
    assert reasons(lost) == [("RouteWithoutUpstream", True)]
    assert reasons(report(upstreams=(), routes=[{"name": "billing"}])) == [("NoUpstream", True)]


@pytest.mark.parametrize(("on_hold", "told"), [(0, [("NotDelivering", True), ("MailHeld", False)]), (2, []), (9, [])])
def test_mail_that_a_person_holds_is_neither_stale_nor_a_fault(on_hold: int, told: list[tuple[str, bool]]) -> None:
    queue = QueueReport(held=2, on_hold=on_hold, oldest=0 if on_hold else NOW - STALE_AFTER - 60)
    assert reasons(report(queue=queue, last_delivery=0)) == told


def test_mail_that_all_fails_for_good_does_not_leave_and_one_wrong_address_is_no_fault() -> None:
    spam = ReplyReport(time=NOW - 5, code=554, text="Message rejected", stage="end-of-data", fault="content")
    wrong = ReplyReport(time=NOW - 5, code=550, text="No such user", stage="rcpt", fault="recipient")
    failed = report(last_delivery=0, failed=20, last_error=spam)
    assert reasons(failed) == [("MailFails", True)]
    assert "554 Message rejected" in judge(failed, NOW).causes[0].words
    assert not judge(report(last_delivery=0, failed=1, last_error=wrong), NOW).causes
    assert not judge(report(delivered=9, failed=1, last_error=spam), NOW).causes


def test_a_refused_from_and_a_breaker_are_told_in_the_words_that_were_kept() -> None:
    said = ReplyReport(time=NOW - 50, code=554, text="wrong.example is not verified", fault="sender")
    delivered = ReplyReport(time=NOW, code=250, text="queued")
    one = upstream(
        refused_senders=("wrong.example",),
        refused_sender_replies={"wrong.example": said},
        breaker=BreakerState.OPEN,
        breaker_fault="quota",
        breaker_text="550 Daily quota exceeded",
        last_reply=delivered,
    )
    words = " ".join(cause.words for cause in judge(report(upstreams=(one,)), NOW).causes)
    assert "not verified" in words
    assert "Daily quota exceeded" in words
    assert "queued" not in words
