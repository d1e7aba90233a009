"""An API server that is a dictionary and takes writes, and an operator's world upon it, for tests of whole passes.

Pods do not exist here and nothing is admitted or defaulted; the tests in `e2e` have a real one.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.cluster_objects import FakeServer

from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.passes import work
from mailhaul_operator.reconcile.world import Who, World
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.refused import Refusal, Refused


class WritableServer(FakeServer):
    """`written` has what was written, in order: verb, kind and name; `events` has the Events' reasons. `refusal`
    answers writes while it is set."""

    def __init__(self, *objects: Body) -> None:
        """Begin with these objects."""
        super().__init__(*objects)
        self.version = 1000
        self.written: list[str] = []
        self.events: list[str] = []
        self.refusal: Refused | None = None
        self.versions: dict[str, tuple[str, ...]] = {}

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        """Put an object as it is given."""
        return self._write("apply", json.loads(json.dumps(body)))

    async def create(self, body: Mapping[str, Any]) -> Body | Refused:
        """Put an object; Events are only counted."""
        if body["kind"] == "Event":
            self.events.append(body["reason"])
            return dict(body)
        return self._write("create", dict(body))

    async def delete(self, body: Mapping[str, Any], *, orphan: bool = False) -> Body | Refused:
        """Delete an object."""
        self.written.append(f"{'orphan' if orphan else 'delete'} {body['kind']} {body['metadata']['name']}")
        self.objects.pop(self._key(dict(body)), None)
        return {}

    async def patch_steps(
        self, kind: Kind, key: tuple[str, str], steps: Sequence[Mapping[str, Any]], subresource: str = ""
    ) -> Body | Refused:
        """Take a status as `effects.status` writes it."""
        assert subresource == "status"
        found = self.objects.get((kind.kind, *key))
        if found is None:
            return Refused(Refusal.NOT_FOUND, "gone")
        return self._write("status", {**found, "status": steps[-1]["value"]})

    async def serves(self, kind: Kind) -> bool:
        """Whether `versions` has the version of its group."""
        group, _, version = kind.api_version.rpartition("/")
        return version in self.versions.get(group, ())

    def status(self, kind: str, name: str, namespace: str = "smtp") -> Any:  # noqa: ANN401 - any status
        """Give the status of a resource."""
        return self.objects[kind, namespace, name].get("status", {})

    def condition(self, kind: str, name: str, type_: str = "Ready") -> tuple[str, str]:
        """Give status and reason of a condition."""
        found = next(one for one in self.status(kind, name)["conditions"] if one["type"] == type_)
        return found["status"], found["reason"]

    def _write(self, verb: str, body: Body) -> Body | Refused:
        if self.refusal is not None:
            return self.refusal
        self.written.append(f"{verb} {body['kind']} {body['metadata']['name']}")
        self.version += 1
        before = self.objects.get(self._key(body), {}).get("metadata", {})
        uid = before.get("uid") or f"{body['kind']}-{body['metadata']['name']}"
        body["metadata"] = {**body["metadata"], "uid": uid, "resourceVersion": str(self.version)}
        self.put(body)
        return copy.deepcopy(body)


class Wishes:
    """In place of the queue: remembers which keys want a pass."""

    def __init__(self) -> None:
        """Begin with none."""
        self.keys: set[Key] = set()

    def add(self, key: Key) -> None:
        """Remember it."""
        self.keys.add(key)

    def add_after(self, key: Key, delay: float) -> None:
        """Remember it, however long the delay."""
        assert delay >= 0
        self.keys.add(key)


class Operator:
    """The operator's passes on such a server. What it wants is passed over until nothing is wanted any more."""

    def __init__(self, server: WritableServer) -> None:
        """Begin as after a start: everything listed, every resource of ours due."""
        self.now = 1_795_262_400.0
        self.server, self.wishes = server, Wishes()
        self.world = World(server, Facts(image="relay:test"), Who("operator-1"), lambda: self.now)  # type: ignore[arg-type]
        self.world.queue = self.wishes
        self.world.chance = lambda: 0.0
        self.again: dict[Key, float | None] = {}
        for one in copy.deepcopy(list(server.objects.values())):
            if one["kind"] != "Secret":
                self.world.put(one)
        self.world.want(frozenset(self.world.own()))

    async def settle(self, rounds: int = 20) -> None:
        """Make passes until no key wants one."""
        for _ in range(rounds):
            if not self.wishes.keys:
                return
            keys, self.wishes.keys = sorted(self.wishes.keys), set()
            for key in keys:
                self.again[key] = await work(self.world)(key)
        raise AssertionError(f"never settles: {self.wishes.keys}")

    async def all_again(self) -> None:
        """Make one more pass over everything."""
        self.world.want(frozenset(self.world.own()))
        await self.settle()
