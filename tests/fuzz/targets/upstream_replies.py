"""Replies of upstreams: the cut does not matter, what is told is bounded, and only a row of the table fails mail.

Addresses that others chose decide nothing: a reply that names one recipient means what it means for another.
"""

from tests.fuzz.pieces import cuts

from mailhaul_relay.model.outcome import Outcome, Reply, Stage, Verdict
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.classify import Context, classify
from mailhaul_relay.smtpout.replies import MAX_LINE, MAX_LINES, MAX_TEXT, Answer, ReplyParser
from mailhaul_relay.smtpout.reply_table import rows

LONGEST = 1500
WORDS = (
    *(b"550 5.1.1 ", b"550-", b"421 4.7.0 ", b"250-PIPELINING\r\n", b"250 SIZE 1000\r\n", b"250-AUTH=PLAIN\r\n"),
    *(b"RCPT", b"user unknown", b"quota exceeded", b"try again later", b"blocked", b"\r\n", b"452 4.5.3 ", b"#5.7.1"),
    *(b"Daily user sending limit exceeded", b"554 Message rejected: Email address is not verified."),
)
_STAGES = tuple(Stage)
_PROFILES = ("smtp", "gmail", "ses", "sendgrid", "microsoft365", "mailgun", "brevo", "postmark")
_CHOSEN = ("bob@one.example", "quota-exceeded@try-again-later.example")


def check(data: bytes) -> None:
    """Parse the same octets cut in three ways and classify what comes out; the first octet chooses where."""
    choice, _, ways = cuts(data)
    whole, *others = [_parsed(way) for way in ways]
    assert all(other == whole for other in others), "other answers by another cut"
    answers, _ = whole
    stage, profile = _STAGES[choice % len(_STAGES)], _PROFILES[choice // 16 % len(_PROFILES)]
    for code, lines in answers[:20]:
        offered = Capabilities.parse(lines[1:])
        assert offered.size is None or 0 <= offered.size < 10**16
        _check_classified(profile, stage, Answer(code, list(lines)).reply())


def _parsed(way: list[bytes]) -> tuple[list[tuple[int, tuple[bytes, ...]]], str]:
    parser, answers = ReplyParser(), []
    for piece in way:
        for one in parser.feed(piece):
            assert 0 < len(one.lines) <= MAX_LINES
            answers.append((one.code, tuple(one.lines)))
        assert len(parser._rest) <= MAX_LINE
        assert len(parser._lines) <= MAX_LINES
        if parser.broken:
            assert not parser.feed(b"250 ok\r\n"), "it goes on behind what is no reply"
    return answers, parser.broken


def _check_classified(profile: str, stage: Stage, reply: Reply) -> None:
    assert reply.text.isprintable()
    assert len(reply.text) <= MAX_TEXT
    outcomes = [_classified(profile, stage, reply, chosen) for chosen in _CHOSEN]
    for outcome in outcomes:
        if outcome.verdict is Verdict.FAILED:
            assert outcome.rule in {row.name for row in rows()}, "mail fails by a guess"
            assert reply.code >= 500, "mail fails by a temporary reply"
        assert outcome.verdict is not Verdict.DELIVERED
        assert outcome.rule or reply.code >= 400 or outcome.verdict is not Verdict.HOLD or stage is Stage.AUTH
    meant = {(one.verdict, one.fault, one.rule) for one in outcomes}
    assert len(meant) == 1, f"an address that others chose decides: {meant}"


def _classified(profile: str, stage: Stage, reply: Reply, chosen: str) -> Outcome:
    """Put an address where the text says RCPT, as servers repeat it."""
    told = Reply(reply.code, reply.enhanced, reply.text.replace("RCPT", f"<{chosen}>"))
    context = Context("own.example", "app@own.example", (chosen,))
    outcome = classify(profile, stage, told, context)
    assert outcome == classify(profile, stage, told, context), "two meanings of one reply"
    return outcome
