"""Who takes turns with whom: a party is a giver of mail together with the domain that a mail of it goes to.

`message` names the party of an envelope, `queue` counts and serves by it, `spool` orders by it, `policy` compares it.
It is one string, so that it is a key of a dictionary and of an index as it stands, and all parties of a giver are
neighbours in the order of strings. Nothing here can fail.
"""

SEPARATOR = "\x1f"
"""Stands between giver and domain. A giver has none: neither the name of an account nor an address of a client nor a
domain has control characters."""
_BEHIND = " "
"""The character after the separator: whatever begins with a giver and this comes after all parties of that giver."""
_LEAST = "\x01"
"""Less than any character of a party."""


def party_of(giver: str, domain: str) -> str:
    """Give the party of a giver's mail to a domain."""
    return f"{giver}{SEPARATOR}{domain}"


def giver_of(party: str) -> str:
    """Give the giver of a party; a text without a domain is a giver already."""
    return party.partition(SEPARATOR)[0]


def behind(giver: str) -> str:
    """Give what comes after all parties of a giver, and after no party of the next one."""
    return giver + _BEHIND


def following(party: str) -> str:
    """Give what comes after a party, and after no other one that does."""
    return party + _LEAST
