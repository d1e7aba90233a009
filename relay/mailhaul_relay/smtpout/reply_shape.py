"""What is the same in all replies of one kind: a provider's words without what belongs to one mail.

`unmatched_replies` gives these words to the list of replies that no row of the table knows, so that a thousand of a
kind are one entry and nobody's address is in it. Addresses, the mail's own domains and local parts, IP addresses, times
and ids become names in angle brackets. It cannot fail; an id that looks like a word stays, and makes an entry more.
"""

import re2

from mailhaul_relay.smtpout.classify import ANY_ADDRESS, Context, mail_domains
from mailhaul_relay.smtpout.local_parts import local_parts

ADDRESS, DOMAIN, LOCAL_PART, IP, TIME, ID = "<address>", "<domain>", "<name>", "<ip>", "<time>", "<id>"
_HOST = re2.compile(r"[\w-]+(?:\.[\w-]+)+")
_IPV4 = re2.compile(r"\b\d{1,3}(?:[.-]\d{1,3}){3}\b")
_IPV6 = re2.compile(r"(?i)\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}\b")
_TIME = re2.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?|\b\d{1,2}:\d{2}:\d{2}\b")
_TOKEN = re2.compile(r"[\w-]*\d[\w-]*")
_LEAST_ID, _LEAST_NUMBER = 6, 5


def reply_shape(text: str, context: Context) -> str:
    """Give a reply's text without what belongs to one mail."""
    text = ANY_ADDRESS.sub(ADDRESS, text) if "@" in text else text
    if domains := mail_domains(context.from_domain, context.sender, context.recipients):
        text = _HOST.sub(lambda host: DOMAIN if _is_below(host.group().lower(), domains) else host.group(), text)
    text = local_parts((context.sender, *context.recipients)).replaced(text, LOCAL_PART)
    text = _IPV6.sub(IP, _IPV4.sub(IP, _TIME.sub(TIME, text)))
    return str(_TOKEN.sub(lambda token: ID if _is_id(token.group()) else token.group(), text))


def _is_below(host: str, domains: frozenset[str]) -> bool:
    return host in domains or host.endswith(tuple(f".{one}" for one in domains))


def _is_id(token: str) -> bool:
    """Whether a token with digits names one thing: a long number, or digits and letters in turns."""
    run = longest = turns = 0
    for before, one in zip(" " + token, token, strict=False):
        run = run + 1 if one.isdigit() else 0
        longest = max(longest, run)
        turns += before.isdigit() != one.isdigit()
    return longest >= _LEAST_NUMBER or (len(token) >= _LEAST_ID and turns > 2)
