"""The arguments of MAIL and RCPT: refused with 5xx and an enhanced code, or the same again when written out anew."""

import re2

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin.arguments import POSTMASTER, MailArguments, parse_mail, parse_rcpt

LONGEST = 600
WORDS = (
    *(b"FROM:<", b"TO:<", b"> SIZE=", b" BODY=8BITMIME", b" BODY=7BIT", b" SMTPUTF8", b" AUTH=<>", b" AUTH=a+40b"),
    *(b"@relay.example:", b"@[IPv6:::1]", b"<postmaster>", b"<>", b"\xc3\xbc", b'"\\>"'),
)
_ENHANCED = re2.compile(r"5\.\d{1,3}\.\d{1,3}")


def check(data: bytes) -> None:
    """Parse an argument as that of either command; the first octet says what was offered and declared."""
    choice, argument = data[:1], data[1:].decode("utf-8", "replace")
    extended, offers_auth, utf8 = (bool(ord(choice or b"\0") & bit) for bit in (1, 2, 4))
    mail = parse_mail(argument, extended=extended, auth=extended and offers_auth)
    if isinstance(mail, Reply):
        _check_refusal(mail)
    else:
        _check_mail(mail, argument, extended=extended)
    recipient = parse_rcpt(argument, utf8=utf8)
    if isinstance(recipient, Reply):
        _check_refusal(recipient)
    elif recipient is not POSTMASTER:
        assert parse_rcpt(f"TO:<{recipient}>", utf8=utf8) == recipient
        assert utf8 or recipient.is_ascii, "a recipient beyond ASCII without SMTPUTF8"


def _check_refusal(reply: Reply) -> None:
    assert reply.code in {501, 553, 555}, reply
    assert _ENHANCED.fullmatch(reply.enhanced), reply


def _check_mail(mail: MailArguments, argument: str, *, extended: bool) -> None:
    words = [f"SIZE={mail.size}"] if mail.size else []
    words += ["BODY=8BITMIME"] if mail.eight_bit else []
    words += ["SMTPUTF8"] if mail.utf8 else []
    assert extended or not words, "a parameter without EHLO"
    written = " ".join([f"FROM:<{mail.sender or ''}>", *words])
    assert parse_mail(written, extended=extended) == mail, written
    assert parse_mail(f"from:{argument[5:]}", extended=extended, auth=True) == mail, "the keyword has a case"
    assert isinstance(mail.sender, Address | None)
    assert mail.utf8 or mail.sender is None or mail.sender.is_ascii, "a sender beyond ASCII without SMTPUTF8"
