"""`ClientIdentityLost`, only while True: connections come from a node's address, so their client is not known. Pure."""

from typing import Final

from mailhaul_operator.assess.causes import Cause, Mender
from mailhaul_operator.assess.drafts import TRUE, draft
from mailhaul_operator.assess.facts import Aspect, RelayFacts
from mailhaul_operator.assess.reasons import Reason

CLIENT_IDENTITY_LOST: Final = "ClientIdentityLost"


def client_identity(facts: RelayFacts) -> Aspect:
    """Judge whether clients are seen with their own address."""
    pods = [pod for pod, report in facts.reports if report.client_identity_lost]
    if not pods:
        return Aspect()
    why = Reason.CLIENT_IDENTITY_LOST
    words = f"connections to {', '.join(pods)} came from a node or a mesh, not from their client, and were not trusted"
    cause = Cause(why, words, why.remedy, "spec.service.externalTrafficPolicy", Mender.NOBODY, blocks=False)
    return Aspect(draft(CLIENT_IDENTITY_LOST, TRUE, cause), (cause,))
