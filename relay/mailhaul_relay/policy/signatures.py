"""Which fields the DKIM signatures of a message cover, so that whoever changes one can say that it voids them.

`mending` asks about what it drops and adds. A signature may name a field that is not there, and then none may be added
(RFC 6376 section 5.4.2). Linear, and it cannot fail: a signature that cannot be read covers nothing.
"""

from mailhaul_relay.policy.headers import Field

SIGNATURE = b"dkim-signature"


def covered(fields: tuple[Field, ...]) -> frozenset[bytes]:
    """Give the names of the fields that some signature covers, in lower case (RFC 6376 section 3.5, tag `h`)."""
    names: set[str] = set()
    for field in fields:
        if field.name == SIGNATURE:
            tags = (tag.partition("=") for tag in field.value.lower().split(";"))
            listed = next((value for name, _, value in tags if name.strip() == "h"), "")
            names.update(one.strip() for one in listed.split(":"))
    return frozenset(one.encode("ascii", "replace") for one in names)
