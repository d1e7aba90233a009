"""A reply that is to fail mail says nothing but words that are understood."""

from dataclasses import replace

import pytest

from mailhaul_relay.model.outcome import Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import Context, classify
from mailhaul_relay.smtpout.reply_words import Understood

UNDERSTOOD = Understood.parse("user unknown doesn't exist\n不存在 用户 empfänger")
CONTEXT = Context("example.com", "app@example.com", ("bob@example.net",))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "User unknown!",
        "user doesn't exist",
        "用户不存在",
        "Empfänger unknown",
        "unknown #5.1.1 ab12cd mx1.example.net https://example.net/help <user>",
    ],
)
def test_numbers_hosts_and_pages_say_nothing(said: str) -> None:
    assert UNDERSTOOD.whole(said)


@pytest.mark.parametrize("said", ["user unknown here", "用户不存在或", "Empfänger nicht", "unknownuser", "don't"])
def test_one_word_more_is_not_understood(said: str) -> None:
    assert not UNDERSTOOD.whole(said)


def test_a_word_that_nobody_foresaw_keeps_the_mail() -> None:
    for words in ("User unknown", "Mailbox does not exist", "Mailbox full", "The mailbox is disabled"):
        known = classify("smtp", Stage.RCPT, Reply(550, "", words), CONTEXT)
        unforeseen = classify("smtp", Stage.RCPT, Reply(550, "", f"{words} quibblewise"), CONTEXT)
        assert (known.verdict, unforeseen.verdict) == (Verdict.FAILED, Verdict.HOLD)


@pytest.mark.parametrize(
    ("reply", "stage"),
    [
        (Reply(552, "5.3.4", "Message size exceeds fixed limit"), Stage.MAIL),
        (Reply(552, "", "Message too large"), Stage.END_OF_DATA),
        (Reply(552, "5.3.4", "Error: message file too big"), Stage.END_OF_DATA),
        (Reply(552, "", "sorry, that message size exceeds my databytes limit (#5.3.4)"), Stage.END_OF_DATA),
        (Reply(554, "5.7.1", "Message rejected due to content policy"), Stage.END_OF_DATA),
        (Reply(554, "", "Spam detected"), Stage.END_OF_DATA),
        (Reply(554, "", "Virus found"), Stage.END_OF_DATA),
        (Reply(550, "", "Message header is malformed"), Stage.END_OF_DATA),
        (Reply(554, "5.4.6", "Too many hops"), Stage.END_OF_DATA),
        (Reply(550, "5.6.7", "SMTPUTF8 is not supported"), Stage.MAIL),
        (Reply(554, "5.6.0", "Invalid MIME structure"), Stage.END_OF_DATA),
    ],
)
def test_a_word_that_nobody_foresaw_keeps_mail_whose_size_or_content_is_refused(reply: Reply, stage: Stage) -> None:
    unforeseen = replace(reply, text=f"{reply.text} quibblewise")
    outcomes = [classify("smtp", stage, one, CONTEXT) for one in (reply, unforeseen)]
    assert [one.verdict for one in outcomes] == [Verdict.FAILED, Verdict.HOLD]
