"""The mail of a send-test: a From that the relay may send, and a text that is mail."""

import email.policy
from email import message_from_bytes
from typing import Any

import pytest
from tests.unit.policy.builders import TRUSTED, admitted, incoming, running, upstream

from mailhaul_relay.policy.trial_mail import TrialMail, trial_text, usual_sender

OWN = {"senders": {"domains": ["own.example", "pay.example"]}}


@pytest.mark.parametrize(
    ("changes", "sender"),
    [
        ({}, "postmaster@relay.own.example"),
        ({"upstreams": []}, "postmaster@relay.own.example"),
        ({"senders": {"domains": ["own.example"]}}, "postmaster@own.example"),
        ({"upstreams": [upstream("one", **OWN)]}, "postmaster@own.example"),
        ({"upstreams": [upstream("one", **OWN)], "senders": {"domains": ["pay.example"]}}, "postmaster@pay.example"),
        ({"upstreams": [upstream("one", probeSender="no-reply@own.example", **OWN)]}, "no-reply@own.example"),
        (
            {"upstreams": [upstream("b", priority=5, **OWN), upstream("a", senders={"domains": ["first.example"]})]},
            "postmaster@first.example",
        ),
        ({"upstreams": [upstream("one", **OWN)], "senders": {"domains": ["else.example"]}}, "postmaster@own.example"),
        (
            {
                "upstreams": [upstream("one", **OWN), upstream("two", senders={"domains": ["x.example"]})],
                "routes": [{"name": "mine", "match": {"senderDomains": ["own.example"]}, "upstreams": ["two"]}],
            },
            "postmaster@pay.example",
        ),
    ],
)
def test_the_usual_sender_is_the_first_that_the_relay_may_send(changes: dict[str, Any], sender: str) -> None:
    assert usual_sender(running(**changes)) == sender


@pytest.mark.parametrize("subject", ["", "a subject of my own"])
def test_the_text_is_mail_that_the_relay_admits(subject: str) -> None:
    ours = running()
    mail = TrialMail("postmaster@own.example", ("b@example.net", "c@example.org"), subject)
    text = trial_text(ours, mail, "0123456789abcdef")
    parsed = message_from_bytes(text, policy=email.policy.default)
    assert parsed["Subject"] == (subject or "Mailhaul test 0123456789abcdef")
    assert parsed["To"] == "b@example.net, c@example.org"
    assert not parsed.defects
    head, _, _ = text.partition(b"\r\n\r\n")
    admitted(ours, TRUSTED, incoming(head + b"\r\n\r\n", sender=mail.sender))
    assert max(len(line) for line in text.split(b"\r\n")) <= 998
    assert not any(line.startswith(b".") for line in text.split(b"\r\n"))
