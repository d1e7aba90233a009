"""One of our resources as the cache has it: parsed once, with the refusals when it does not parse.

The API server refuses what the models refuse; but a resource may be older than the rules, or its CRD newer than this
operator. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from mailhaul_contract.refusals import Refusal, refusals
from mailhaul_operator.api.conditions import NOT_ASSESSED
from mailhaul_operator.api.mailalias import MailAlias
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.manifests.kinds import OWN
from mailhaul_operator.observe.references import Reference, references
from mailhaul_operator.observe.trimming import packed_resource, trimmed, unpacked
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import Owner, is_going, metadata, name_of, version_of

Resource = SmtpRelay | UpstreamProvider | MailAlias
MAX_REFUSALS = 16


@dataclass(frozen=True, slots=True)
class Seen:
    """A resource. `model` is None when it does not parse, and `refused` says why; the model's status is left out. It
    is in `packed`, with all that is no spec.
    """

    key: Key
    uid: str
    generation: int
    version: int
    going: bool
    model: Resource | None
    refused: tuple[Refusal, ...]
    named: frozenset[Reference]
    packed: bytes = field(repr=False)

    @property
    def owner(self) -> Owner:
        """The resource as the owner of what is made for it."""
        return Owner(*self.key, self.uid)

    @property
    def status(self) -> Body:
        """Its status as it was seen last; empty when it has none but the API server's, which says that it has none."""
        return status_of(self.packed)


def status_of(packed: bytes) -> Body:
    """Give the status in what `Seen.packed` holds."""
    found = unpacked(packed).get("status")
    return found if isinstance(found, dict) and found != NOT_ASSESSED else {}


def seen(body: Mapping[str, Any], before: Seen | None = None) -> Seen:
    """Parse a resource of ours; of the one seen `before` nothing is parsed again if only its status is new.

    Only spec and metadata are judged: a status is the operator's own.
    """
    found = metadata(body)
    one = Seen(
        key=Key(body["kind"], *name_of(body)),
        uid=found.get("uid", ""),
        generation=found.get("generation", 0),
        version=version_of(body),
        going=is_going(body),
        model=None,
        refused=(),
        named=frozenset(),
        packed=packed_resource(body),
    )
    if before is not None and _is_same(before, one, found):
        return replace(one, model=before.model, refused=before.refused, named=before.named)
    return _parsed(one, body)


def _is_same(before: Seen, now: Seen, found: Mapping[str, Any]) -> bool:
    """Whether a parsed resource has the spec and the metadata that it had."""
    if before.model is None or not now.generation or (before.uid, before.generation) != (now.uid, now.generation):
        return False
    known, kept = before.model.metadata, trimmed(found)
    return dict(known.labels) == (kept.get("labels") or {}) and dict(known.annotations) == (
        kept.get("annotations") or {}
    )


def _parsed(one: Seen, body: Mapping[str, Any]) -> Seen:
    judged = {name: value for name, value in body.items() if name != "status"}
    try:
        model = OWN[one.key.kind].from_json({**judged, "metadata": trimmed(metadata(body))})
    except ValidationError as error:
        return replace(one, refused=refusals(error)[:MAX_REFUSALS])
    return replace(one, model=model, named=references(model))
