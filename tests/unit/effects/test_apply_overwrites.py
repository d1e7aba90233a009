"""What an apply cannot repair, for it merges lists by key, is set right as a whole; a true mistake is told."""

from collections.abc import Mapping
from typing import Any

from tests.support.cluster_objects import NAMESPACE, FakeServer, made

from mailhaul_operator.effects.apply import Applied, Applier
from mailhaul_operator.observe.cache import Cache
from mailhaul_operator.wire.kinds import Body, Kind
from mailhaul_operator.wire.objects import Owner
from mailhaul_operator.wire.refused import Refusal, Refused

OWNER = Owner("SmtpRelay", NAMESPACE, "one", "SmtpRelay-one")
OURS, RENUMBERED = {"name": "smtp", "port": 25}, {"name": "smtp", "port": 2599}
REPEATED = Refused(Refusal.INVALID, 'spec.ports[1].name: Duplicate value: "smtp"')


class MergingServer(FakeServer):
    """Merges the ports of an apply by number, and refuses a name that is there twice; if `stubborn`, takes no patch."""

    def __init__(self, *objects: Body, stubborn: bool = False) -> None:
        super().__init__(*objects)
        self.stubborn = stubborn
        self.ports = [port for one in objects for port in one["spec"]["ports"]]
        self.asked: list[str] = []

    async def apply(self, body: Mapping[str, Any]) -> Body | Refused:
        self.asked.append("apply")
        ports = {one["port"]: one for one in (*self.ports, *body["spec"]["ports"])}
        if len({one["name"] for one in ports.values()}) < len(ports):
            return REPEATED
        self.ports = list(ports.values())
        return dict(body)

    async def patch(self, kind: Kind, key: tuple[str, str], patch: Mapping[str, Any]) -> Body | Refused:
        self.asked.append(f"patch {kind.kind} {key[1]}")
        if self.stubborn:
            return Refused(Refusal.INVALID, "other words")
        self.ports = list(patch["spec"]["ports"])
        return dict(patch)


async def repaired(server: MergingServer) -> Applied:
    applier = Applier(server, Cache(), lambda: 0)  # type: ignore[arg-type]
    return await applier.apply([made("Service", "one", "one", spec={"ports": [OURS]})], OWNER)


async def test_a_port_that_was_renumbered_is_put_back() -> None:
    server = MergingServer(made("Service", "one", "one", spec={"ports": [RENUMBERED]}))
    applied = await repaired(server)
    assert (server.ports, server.asked) == ([OURS], ["apply", "patch Service one", "apply"])
    assert (applied.changed, applied.complete) == (1, True)


async def test_what_is_refused_either_way_is_told_in_the_first_words() -> None:
    server = MergingServer(made("Service", "one", "one", spec={"ports": [RENUMBERED]}), stubborn=True)
    (obstacle,) = (await repaired(server)).obstacles
    assert REPEATED.message in obstacle.message


async def test_nothing_is_overwritten_where_an_apply_is_enough() -> None:
    server = MergingServer(made("Service", "one", "one", spec={"ports": [{"name": "other", "port": 99}]}))
    await repaired(server)
    assert server.asked == ["apply"]
    assert {"name": "other", "port": 99} in server.ports
