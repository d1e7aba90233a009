"""Next to words of time, of a part that is out of order or of one's own settings nothing proves that a recipient is
unknown or a message bad, whatever the digits say.
"""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mailhaul_relay.model.outcome import Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import Context, classify
from mailhaul_relay.smtpout.reply_table import Row, doubts, first_match

SENTENCES = (Path(__file__).parents[2] / "replies" / "held-out" / "doubt.txt").read_text(encoding="utf-8").splitlines()
TABLE: dict[str, Any] = tomllib.loads((files("mailhaul_relay.smtpout") / "replies.toml").read_text(encoding="utf-8"))
STAGES = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA)
CODES = (550, 552, 554)
ENHANCED = ("", "5.7.1", "5.0.0", "5.1.1", "5.1.2", "5.2.1", "5.2.2", "5.3.4", "5.6.0")
CONTEXT = Context("example.com", "app@example.com", ("bob@example.net",))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_is_in_doubt_never_fails_even_under_the_codes_of_a_recipient_or_a_size(sentence: str) -> None:
    replies = [Reply(code, enhanced, sentence) for code in CODES for enhanced in ENHANCED]
    outcomes = [classify("smtp", stage, reply, CONTEXT) for stage in STAGES for reply in replies]
    assert [(one.stage, str(one.reply), one.rule) for one in outcomes if one.verdict is Verdict.FAILED] == []


@pytest.mark.slow
@pytest.mark.parametrize("without", range(len(doubts())))
def test_each_line_of_doubt_keeps_mail_that_would_fail_without_it(without: int) -> None:
    doubt = "|".join(line for number, line in enumerate(doubts()) if number != without)
    rows = [Row.parse(given, doubt) for given in TABLE["reply"]]
    failed = [
        sentence
        for sentence in SENTENCES
        for stage in (Stage.RCPT, Stage.END_OF_DATA)
        for enhanced in ("", "5.1.1")
        if (row := first_match(rows, "smtp", stage, Reply(550, enhanced, sentence)))
        and row.verdict is Verdict.FAILED
    ]  # fmt: skip
    assert failed


def test_a_providers_own_row_speaks_its_own_words_and_knows_no_doubt() -> None:
    given = {"name": "x", "fault": "content", "verdict": "failed", "remedy": "x.", "text": "bad header"}
    said = Reply(554, "", "bad header DKIM-Signature")
    assert not Row.parse(given, "dkim").matches("ses", Stage.END_OF_DATA, said)
    assert Row.parse(given | {"profiles": ["ses"]}, "dkim").matches("ses", Stage.END_OF_DATA, said)
    assert Row.parse(given | {"verdict": "hold"}, "dkim").matches("ses", Stage.END_OF_DATA, said)
