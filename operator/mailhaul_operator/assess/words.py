"""Words that several judgements share: a provider's reply, a duration, what to do about each kind of fault.

Used by the checks here and by `local.verdict`, so that `mailhaul status`, a condition and an event say the same.
Texts of others are bounded and made printable here. Pure.
"""

from typing import Final

from mailhaul_contract.report import ReplyReport

MOST: Final = 1000
"""Characters of a message; an event's may have 1024 bytes."""
REMEDIES: Final = {
    "connection": "check the provider's host and port, and that the network lets it through",
    "tls": "check tls of the UpstreamProvider: mode, serverName and caRef",
    "auth": "check user name and password in the provider's Secret",
    "token": "check spec.auth.oauth of the UpstreamProvider, and that the relay can reach the token server",
    "quota": "wait for the next period, raise the quota, or add another upstream",
    "throttle": "set spec.rateLimit of the UpstreamProvider lower",
    "content": "see the provider's words and `mailhaul queue list --state dead`, and ask it why it takes no such mail",
    "sender": "verify the From domain at the provider, or set spec.senders.domains and rewriteFrom there",
}
"""By the fault's name, for when the reply that told more is not known (after a restart)."""
UNCLEAR: Final = "check the provider"


def reply_words(reply: ReplyReport) -> str:
    """Give the other side's own words, with the stage at which they came."""
    words = " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.text) if part)
    return f"{words or reply.fault or 'no reply'}" + (f" (at {reply.stage})" if reply.stage else "")


def remedy_of(fault: str, reply: ReplyReport | None = None) -> str:
    """Give what to do: what came with the reply, else what the kind of fault asks for."""
    return (reply.remedy if reply else "").rstrip(".") or REMEDIES.get(fault, UNCLEAR)


def sender_remedy(domain: str) -> str:
    """Give what to do about a From domain that is refused."""
    return f"verify {domain} at the provider, or set spec.senders.domains and rewriteFrom there"


def counted(count: int, what: str = "message") -> str:
    """Give `1 message` or `3 messages`."""
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def messages_are(count: int) -> str:
    """Give `1 message is` or `3 messages are`."""
    return f"{counted(count)} {'is' if count == 1 else 'are'}"


def span(seconds: float) -> str:
    """Give a duration in the unit that a person would choose."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def tidy(text: str, most: int = MOST) -> str:
    """Give the text on one line, printable, cut to a length: text of others may be anything."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"
