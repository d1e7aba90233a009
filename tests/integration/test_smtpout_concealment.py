"""A server that repeats the credential of a session, at any point of it: no reply that is told has any form of it."""

import base64

import pytest
from tests.support.outgoing import outgoing
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.outcome import Fault, Outcome, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.policy.unmatched import Kind

pytestmark = pytest.mark.integration

CREDENTIAL = Credential("relay", "pass/word of canary?")
FORMS = (
    CREDENTIAL.password,
    base64.b64encode(CREDENTIAL.password.encode()).decode(),
    base64.b64encode(f"\0{CREDENTIAL.username}\0{CREDENTIAL.password}".encode()).decode(),
    base64.b64encode(CREDENTIAL.password.encode()).decode().rstrip("="),
)
LEAK = "{code}-5.9.9 quirk of {0}\n{code} 5.9.9 and {1} and {2} and {3}"


def _leak(code: int) -> str:
    return LEAK.format(*FORMS, code=code)


async def _sent(point: str, code: int, mechanism: str, **script: object) -> tuple[Outcome, list[str], list[Kind]]:
    values = {"accounts": {CREDENTIAL.username: CREDENTIAL.password}, "steps": {point: _leak(code)}, **script}
    seen: list[Kind] = []
    async with (
        ScriptedServer(values) as server,
        outgoing(server.port, credential=CREDENTIAL, auth=mechanism) as out,
    ):
        out.transport.unmatched.saw = seen.append
        (outcome,) = await out.send("bob@example.net")
        return outcome, out.lines, seen


@pytest.mark.parametrize("mechanism", ["Plain", "Login"])
@pytest.mark.parametrize(
    ("point", "code"),
    [("auth", 535), ("mail", 550), ("rcpt", 550), ("rcpt", 451), ("data", 554), ("dot", 554), ("dot", 250)],
)
@pytest.mark.parametrize("extensions", [["PIPELINING"], []], ids=["pipelined", "in-turn"])
async def test_no_form_of_the_password_is_in_what_is_told(
    point: str, code: int, mechanism: str, extensions: list[str]
) -> None:
    outcome, lines, seen = await _sent(point, code, mechanism, extensions=extensions)
    assert outcome.reply is not None
    assert (outcome.reply.code, outcome.reply.enhanced) == (code, "5.9.9")
    assert outcome.reply.text.startswith("quirk of *** and *** and *** and ***")
    told = f"{outcome!r} {lines!r} {seen!r}"
    assert "quirk" in told
    assert not [form for form in FORMS if form in told]


async def test_a_password_that_is_a_word_does_not_change_what_a_reply_means() -> None:
    word = Credential("relay", "unknown")
    script = {"accounts": {"relay": "unknown"}, "steps": {"rcpt": "550 5.1.1 user unknown"}}
    async with ScriptedServer(script) as server, outgoing(server.port, credential=word, auth="Plain") as out:
        (outcome,) = await out.send("bob@example.net")
    assert (outcome.verdict, outcome.fault, outcome.rule) == (Verdict.FAILED, Fault.RECIPIENT, "recipient-unknown")
    assert outcome.text == "550 5.1.1 user ***"
