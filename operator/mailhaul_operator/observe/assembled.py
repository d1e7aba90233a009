"""The relay's own Secret as the plan needs it: what is there, or what the operator knows that should be there.

Used by `gather`. The Secret holds what can be nowhere else: credentials whose source is gone, and the previous ones. So
when it is gone, spoiled or somebody else's, what the last pass planned takes its place, and the drift is repaired from
that. Failures are values: `Refused` when the API server cannot be asked, an obstacle when the Secret may not be read.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.names import SECRET_REVISION
from mailhaul_operator.assess.view import Obstacle
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.observe.references import Reference
from mailhaul_operator.observe.secrets import FRESH, KEPT, SecretReader
from mailhaul_operator.plan import naming
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import Owner, annotations, controller, labels
from mailhaul_operator.wire.refused import Reader, Refusal, Refused

Content = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Existing:
    """The content that the plan goes on from; `obstacles` tells when the Secret may not be read."""

    content: Content = field(repr=False)
    obstacles: tuple[Obstacle, ...] = ()


@dataclass(slots=True)
class _Look:
    """The last look at a Secret: when, the revision that was there, and why it could not be read."""

    when: float = 0
    revision: bytes = b""
    obstacle: Obstacle | None = None


class AssembledSecrets:
    """Reads them relay by relay. In a cluster-wide installation no watch brings them, so each is read again after a
    minute, and drift is seen then.
    """

    def __init__(self, cache: Cache, holders: SecretReader, reader: Reader) -> None:
        """All of these are the operator's own; nothing is read yet."""
        self._cache, self._holders, self._reader = cache, holders, reader
        self._looks: dict[Key, _Look] = {}

    async def read(self, owner: Owner, planned: Content, now: float) -> Existing | Refused:
        """Give what a relay has in its Secret. `planned` is what the last pass wanted there, empty when nobody knows;
        `now` in epoch seconds.
        """
        look = self._looks.setdefault(Key("SmtpRelay", owner.namespace, owner.name), _Look())
        body = self._cache.get("Secret", owner.namespace, naming.configuration(owner.name))
        if self._is_due(owner, look, body, now):
            answer = await self._look(owner, look, body, now)
            if isinstance(answer, Refused):
                return answer
            body = answer or None
        found = _content(body) if body is not None and _is_ours(body, owner) else {}
        content = _chosen(found, planned, look.revision)
        look.revision = found.get(SECRET_REVISION, b"")
        return Existing(content, (look.obstacle,) if look.obstacle else ())

    def forget(self, key: Key) -> None:
        """Forget a relay that is gone."""
        self._looks.pop(key, None)

    def _is_due(self, owner: Owner, look: _Look, body: Body | None, now: float) -> bool:
        # A clock that was set back must not keep a look for ever.
        if look.obstacle is not None:
            return not 0 <= now - look.when < FRESH
        return body is None or not (self._holders.knows_all(owner.namespace) or 0 <= now - look.when < KEPT)

    async def _look(self, owner: Owner, look: _Look, known: Body | None, now: float) -> Body | Refused:
        """Read it; gives what is known, if anything, when it may not be read, and an empty body when there is none."""
        name = naming.configuration(owner.name)
        answer = await self._reader.get(KINDS["Secret"], owner.namespace, name)
        missing = isinstance(answer, Refused) and answer.kind is Refusal.NOT_FOUND
        if isinstance(answer, Refused) and answer.passing:
            return answer
        look.when, look.obstacle = now, None
        if isinstance(answer, Refused) and not missing:
            look.obstacle = unreadable(Reference("Secret", owner.namespace, name), answer)
            return known or {}
        body: Body = {} if isinstance(answer, Refused) else answer
        if controller(body).get("uid") == owner.uid:
            self._cache.put(body)
        elif known is not None:
            # What was ours is not so any more: `apply` is to see what is there instead.
            self._cache.remove(known)
        return body


def unreadable(reference: Reference, refusal: Refused) -> Obstacle:
    """Tell that the operator lacks the right to read something."""
    what = f"{reference.kind} {reference.namespace}/{reference.name}"
    message = f"the operator may not read {what}: {refusal.message}"
    remedy = "grant the operator's ServiceAccount the right to get it; the chart does so for the namespaces it lists"
    return Obstacle(what, "Forbidden", message, remedy)


def _is_ours(body: Body, owner: Owner) -> bool:
    """Whether we wrote it. One that lost its owner shows it by our mark, and by our labels or a user's word."""
    holder = controller(body)
    if holder:
        return bool(holder.get("uid") == owner.uid)
    revision = _content(body).get(SECRET_REVISION, b"").decode(errors="replace")
    marked = bool(revision) and annotations(body).get(naming.SPEC, "").partition(".")[0] == revision
    labelled = naming.relay_labels(owner.name).items() <= labels(body).items()
    return marked and (labelled or annotations(body).get(naming.ADOPT) == owner.name)


def _chosen(found: Content, planned: Content, before: bytes) -> Content:
    """Give what to go on from. `before` is the revision that was there when `planned` was made.

    What was planned counts, but for a Secret that came from elsewhere since. A relay may already have loaded a spoiled
    Secret by its revision, so that the repaired one must have another.
    """
    revision = found.get(SECRET_REVISION, b"")
    if not planned:
        return found
    if not revision or found == planned:
        return planned
    if revision == planned.get(SECRET_REVISION):
        return {key: value for key, value in planned.items() if key != SECRET_REVISION}
    return planned if revision == before else found


def _content(body: Body) -> Content:
    return {name: base64.b64decode(text) for name, text in (body.get("data") or {}).items()}
