"""Whom an object belongs to decides whether it is written to: every case, on a server that is a dictionary."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.cluster_objects import NAMESPACE, FakeServer, made

from mailhaul_operator.effects.apply import PATIENCE, Applied, Applier
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import Refusal, Refused

OWNER = Owner("SmtpRelay", NAMESPACE, "one", "SmtpRelay-one")
DELETED, NOON = "2026-11-21T12:00:00Z", 1795262400.0


class WritingServer(FakeServer):
    """Takes applies as they come, and remembers them; `refusal` answers them while it is set."""

    def __init__(self, *objects: Body) -> None:
        super().__init__(*objects)
        self.applied: list[str] = []
        self.refusal: Refused | None = None

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        if self.refusal is not None:
            return self.refusal
        self.applied.append(f"{body['kind']} {body['metadata']['name']}")
        return dict(body)

    async def patch(self, *_: object) -> Body | Refused:
        return self.refusal or Refused(Refusal.NOT_FOUND, "nothing is patched here")


async def apply(server: WritingServer, now: float = NOON) -> Applied:
    desired = made("Service", "one", "one", spec={"type": "ClusterIP"})
    applier = Applier(server, Cache(), lambda: now)  # type: ignore[arg-type]
    return await applier.apply([desired], OWNER)


def live(**metadata: Any) -> Body:  # noqa: ANN401 - members of metadata
    body = made("Service", "one", "one", spec={"type": "NodePort"})
    body["metadata"].update(metadata)
    return body


def held_by(kind: str, name: str, uid: str) -> list[dict[str, Any]]:
    return [{"kind": kind, "name": name, "uid": uid, "controller": True}]


@pytest.mark.parametrize(
    ("body", "written", "reasons", "waiting"),
    [
        (None, True, [], 0),
        (live(), True, [], 0),
        (live(labels={}), True, [], 0),
        (live(ownerReferences=[]), False, ["NameTaken"], 0),
        (live(ownerReferences=[], annotations={"mailhaul.dev/adopt": "one"}), True, [], 0),
        (live(ownerReferences=[], annotations={"mailhaul.dev/adopt": "two"}), False, ["NameTaken"], 0),
        (live(ownerReferences=held_by("SmtpRelay", "two", "2")), False, ["NameTaken"], 0),
        (
            live(ownerReferences=held_by("Postfix", "two", "2"), annotations={"mailhaul.dev/adopt": "one"}),
            False,
            ["NameTaken"],
            0,
        ),
        (live(ownerReferences=held_by("SmtpRelay", "one", "before")), False, [], 1),
        (live(deletionTimestamp=DELETED), False, [], 1),
        (live(deletionTimestamp=DELETED, finalizers=["orphan"]), False, [], 1),
        (live(deletionTimestamp=DELETED, finalizers=["example.com/hold"]), False, ["TerminationBlocked"], 0),
        (live(deletionTimestamp=DELETED, finalizers=["evilkubernetes.io/hold"]), False, ["TerminationBlocked"], 0),
    ],
)
async def test_who_owns_an_object_decides(body: Body | None, written: bool, reasons: list[str], waiting: int) -> None:
    server = WritingServer(*([] if body is None else [body]))
    applied = await apply(server)
    assert server.applied == (["Service one"] if written else [])
    assert [one.reason for one in applied.obstacles] == reasons
    assert (applied.changed, applied.waiting) == (int(written), waiting)


async def test_a_finalizer_of_kubernetes_is_told_when_it_stays() -> None:
    server = WritingServer(live(deletionTimestamp=DELETED, finalizers=["service.kubernetes.io/load-balancer-cleanup"]))
    assert (await apply(server, NOON + PATIENCE)).waiting == 1
    (obstacle,) = (await apply(server, NOON + PATIENCE + 1)).obstacles
    assert "load-balancer-cleanup" in obstacle.message


@pytest.mark.parametrize(
    ("kind", "reasons", "failures"),
    [
        (Refusal.CONFLICT, [], 1),
        (Refusal.UNAVAILABLE, [], 1),
        (Refusal.FORBIDDEN, ["Forbidden"], 0),
        (Refusal.INVALID, ["Invalid"], 0),
        (Refusal.NOT_FOUND, ["KindNotServed"], 0),
    ],
)
async def test_what_passes_by_itself_is_no_obstacle(kind: Refusal, reasons: list[str], failures: int) -> None:
    server = WritingServer(live())
    server.refusal = Refused(kind, "words")
    applied = await apply(server)
    assert ([one.reason for one in applied.obstacles], len(applied.failures)) == (reasons, failures)
    assert not applied.complete


async def test_what_is_not_there_is_made_without_being_read() -> None:
    server = WritingServer()
    applied = await apply(server)
    assert (server.applied, applied.changed) == (["Service one"], 1)
    assert not server.reads


async def test_nothing_is_applied_to_what_could_not_be_read() -> None:
    server = WritingServer(live())
    server.failure = Refused(Refusal.TIMEOUT, "no answer")
    applied = await apply(server)
    assert (server.applied, applied.failures) == ([], [server.failure])
