"""Posts Events (events.k8s.io/v1) about our resources, in their namespace.

Called by `reconcile` with what `assess` saw change. Failures are values and nobody's trouble: an Event that is lost
says nothing that the status does not.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Final

from mailhaul_contract.names import API_VERSION, GROUP
from mailhaul_operator.effects.api import Api
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import Refused

CONTROLLER: Final = f"{GROUP}/operator"
MAX_NOTE: Final = 1024
"""Bytes of a note that the API server takes."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is to be told: a reason in CamelCase, words with cause and remedy, whether it is bad, and what was done."""

    reason: str
    note: str
    warning: bool = False
    action: str = "Assess"


async def post(api: Api, about: Owner, announcement: Announcement, now: float, instance: str) -> Body | Refused:
    """Post an Event about a resource of ours; `instance` names this operator (its pod), `now` is in epoch seconds."""
    return await api.create(event(about, announcement, now, instance))


def event(about: Owner, announcement: Announcement, now: float, instance: str) -> Body:
    """Give the Event as it is posted."""
    return {
        "apiVersion": KINDS["Event"].api_version,
        "kind": "Event",
        "metadata": {"name": f"{about.name[:200]}.{token_hex(8)}", "namespace": about.namespace},
        "eventTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if announcement.warning else "Normal",
        "reason": announcement.reason,
        "action": announcement.action,
        "note": announcement.note.encode()[:MAX_NOTE].decode(errors="ignore"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128] or "operator",
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }
