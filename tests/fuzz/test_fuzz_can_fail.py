"""A target that cannot fail finds nothing: each notices when what it checks is broken in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

import pytest
from tests.fuzz.target import load, names

from mailhaul_relay.model.outcome import Outcome, Reply, Stage, Verdict


@dataclass(frozen=True)
class Broken:
    """`place` is put out of order by `instead`; the target must notice with `data`, and find nothing without."""

    target: str
    place: str
    instead: Any
    data: bytes


def _failed(stage: Stage, reply: Reply) -> Outcome:
    return Outcome(Verdict.FAILED, stage, reply=reply)


def _delivered(transaction: Any, answer: Any) -> None:  # noqa: ANN401 - the module's own
    transaction._fill(Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=answer.reply()))


def _utc_midnight(day: date, _zone: tzinfo) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


def _promised(acceptance: Any, *_: object) -> None:  # noqa: ANN401 - the listener's own
    acceptance._session.answer_accepted("nothing-is-stored")


def _twice(_content: bytes, region: Any, _boundary: str) -> list[Any]:  # noqa: ANN401 - the module's own
    return [region, region]


def _same(value: Any, **_: object) -> Any:  # noqa: ANN401 - a step left out
    return value


def _yes(*_: object) -> bool:
    return True


SESSION = (
    b"EHLO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\nFrom: app@example.com\r\n.\r\n"
)
_SAID = (b"220 x", b"250 x", b"250 from", b"250 to", b"250 to", b"250 to", b"354 go", b"554 5.7.1 spam")
REFUSED = b"\0" + b"\x1e".join(b"%s\r\n" % line for line in _SAID)
HASH = b"a:$argon2id$v=19$m=999999,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
RECORD = b'[1,"",[["c@d.example","c@d.example",""]],"","submission",1e999,10,"",false,true]'
PAGE = b"GET /v1/queue?limit=10 HTTP/1.1\r\nHost: a\r\n\r\n"
LATE_EVENING = bytes([1, 1, 0, 0]) + int(datetime(2026, 11, 21, 23, 30, tzinfo=UTC).timestamp()).to_bytes(4, "big")
_RELAY = "mailhaul_relay"
CASES = (
    Broken("addresses", "mailhaul_contract.addresses._dot_string", _same, b"a b@example.org"),
    Broken(
        "envelope_arguments",
        f"{_RELAY}.smtpin.arguments._parameters",
        lambda *_: (0, True, False),
        b"\0FROM:<" + b"a" * 130 + b"@b.example>",
    ),
    Broken("command_lines", f"{_RELAY}.smtpin.framing.CommandLines._end_told_line", _yes, b"\0NOOP\nQUIT\r\n"),
    Broken(
        "message_content",
        f"{_RELAY}.smtpin.line_ends.StrictLineEnds.check",
        lambda _, piece: piece,
        b"\0a\n.\nb\r\n.\r\n",
    ),
    Broken("conversation", f"{_RELAY}.smtpin.acceptance.Acceptance._deny", _promised, bytes([16 | 4]) + SESSION),
    Broken("upstream_replies", f"{_RELAY}.smtpout.classify._by_class", _failed, b"\x06599 nobody knows this\r\n"),
    Broken("upstream_session", f"{_RELAY}.smtpout.transaction.Transaction._settle_accepted", _delivered, REFUSED),
    Broken(
        "proxy_header",
        f"{_RELAY}.smtpin.proxy_header._client_v1",
        lambda _: "192.0.2.9",
        b"\0PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
    ),
    Broken("login_exchange", f"{_RELAY}.smtpin.authentication.MAX_PASSWORD", 10_000, b"app\0" + b"p" * 300),
    Broken("spool_records", f"{_RELAY}.spool.codec.isfinite", _yes, RECORD),
    Broken("accounts", "mailhaul_contract.accounts._affordable", _yes, HASH),
    Broken("token_answers", f"{_RELAY}.smtpout.token_answer._is_token", _yes, b'\0{"access_token":"a b"}'),
    Broken(
        "header_fields",
        f"{_RELAY}.policy.authorship.safe_name",
        _same,
        b"From: =?utf-8?Q?=0D=0ABcc=3A_x?= <a@b.example>\r\n",
    ),
    Broken(
        "mailboxes",
        "tests.fuzz.targets.mailboxes.safe_name",
        lambda text: text.replace("=?", "?"),
        b"==?x?B?QQ?= <a@b.example>",
    ),
    Broken("mail_html", f"{_RELAY}.http.mail_html.escape", _same, b"&lt;script>"),
    Broken(
        "mail_parts",
        f"{_RELAY}.http.mime_parts._split",
        _twice,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b--\r\n",
    ),
    Broken("seven_bit", f"{_RELAY}.policy.eightbit._stuffed", _same, b"Subject: a\n\n.\xff\n"),
    Broken("http_requests", f"{_RELAY}.http.queue_requests._limit", lambda _: 0, PAGE),
    Broken("relay_config", f"{_RELAY}.reload.files.refusals", lambda _: (), b'{"contractVersion":1}'),
    Broken("quota_windows", f"{_RELAY}.ports.calendar._midnight", _utc_midnight, LATE_EVENING),
    Broken("srs_addresses", f"{_RELAY}.policy.srs._is_fresh", _yes, b"ann@b.example"),
    Broken(
        "failure_reports",
        f"{_RELAY}.policy.bounces._diagnosis",
        lambda recipient, _: f"no {recipient.final}",
        b"bob@example.net|550 no\r\n|Subject: a\r\n",
    ),
)


@pytest.mark.parametrize("broken", CASES, ids=lambda one: one.target)
def test_a_target_notices_what_is_broken(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    check: Callable[[bytes], None] = load(broken.target).check
    check(broken.data)
    monkeypatch.setattr(broken.place, broken.instead)
    with pytest.raises((AssertionError, ValueError)):
        check(broken.data)


def test_every_target_was_seen_to_notice() -> None:
    assert {one.target for one in CASES} == set(names())
