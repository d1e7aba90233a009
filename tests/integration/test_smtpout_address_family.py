"""`connections.addressFamily` is kept to, and an address literal or a name both lead to the upstream."""

import pytest
from tests.support.outgoing import outgoing
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.outcome import Fault, Stage, Verdict

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("family", ["Any", "IPv4"])
async def test_the_upstream_is_reached(host: str, family: str) -> None:
    connections = {"addressFamily": family}
    async with ScriptedServer() as server, outgoing(server.port, host=host, connections=connections) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED


async def test_the_other_family_is_not_tried() -> None:
    connections = {"addressFamily": "IPv6"}
    async with ScriptedServer() as server, outgoing(server.port, connections=connections) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.CONNECTION, Stage.CONNECT)
        assert server.connections == 0
