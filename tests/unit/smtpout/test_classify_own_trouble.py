"""Sentences about one's own trouble in words that also speak of recipients, domains, messages: none fails mail."""

from pathlib import Path

import pytest

from mailhaul_relay.model.outcome import Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import Context, classify

SENTENCES = (Path(__file__).parents[2] / "replies" / "held-out" / "own-trouble.txt").read_text().splitlines()
CONTEXT = Context("example.com", "app@example.com", ("bob@example.net",))
HOPELESS = [
    "Destinataire inconnu",
    "Der Empfänger existiert nicht",
    "El destinatario no existe",
    "Destinatario sconosciuto",
    "destinatário inválido",
    "odbiorca nie istnieje",
    "收件人不存在",
    "宛先が存在しません",
    "Domain not found",
    "No such customer",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_own_trouble_never_fails(sentence: str) -> None:
    stages = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA)
    replies = [Reply(code, enhanced, sentence) for code in (550, 552, 554) for enhanced in ("", "5.7.1", "5.0.0")]
    failed = [
        (stage, str(reply), outcome.rule)
        for stage in stages
        for reply in replies
        if (outcome := classify("smtp", stage, reply, CONTEXT)).verdict is Verdict.FAILED
    ]
    assert failed == []


@pytest.mark.parametrize("sentence", HOPELESS)
def test_a_recipient_that_is_not_there_fails_in_other_languages_too(sentence: str) -> None:
    assert classify("smtp", Stage.RCPT, Reply(550, "", sentence), CONTEXT).verdict is Verdict.FAILED
