"""Every verbatim reply, said by a server at its stage, through the real transport over a socket."""

from typing import Any

import pytest
from tests.support.outgoing import CREDENTIAL, outgoing, transmission
from tests.support.reply_cases import ReplyCase, reply_cases
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.outcome import Stage

pytestmark = pytest.mark.integration
CASES = reply_cases()
POINTS = {Stage.TLS: "starttls", Stage.END_OF_DATA: "dot"}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_verbatim_reply_becomes_its_outcome(case: ReplyCase) -> None:
    point = POINTS.get(case.stage, case.stage.value)
    script = {"steps": {point: case.text}, "tls": "starttls" if case.stage is Stage.TLS else "none"}
    fields: dict[str, Any] = {"profile": case.profile}
    if case.stage is Stage.TLS:
        fields["tls"] = {"mode": "StartTLS"}
    if case.stage is Stage.AUTH:
        script["accounts"] = {CREDENTIAL.username: CREDENTIAL.password}
        fields["auth"] = "Auto"
    message = transmission(*case.context.recipients, sender=case.context.sender, from_domain=case.context.from_domain)
    async with ScriptedServer(script) as server, outgoing(server.port, **fields) as out:
        delivery = await out.deliver(message)
        (outcome,) = set(delivery.outcomes)
        assert (outcome.rule, outcome.verdict, outcome.fault) == (case.rule, case.verdict, case.fault)
        assert outcome.stage is case.stage
        assert outcome.reply == case.reply()
        assert delivery.endpoint == f"127.0.0.1:{server.port}"
        assert out.tally.unmatched_replies == (0 if case.rule else 1)
        assert server.accepted == []
