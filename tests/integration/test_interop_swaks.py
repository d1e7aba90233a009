"""swaks as a client of the whole relay: its dialogues succeed, and what it sent is what the upstream gets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.certificates import Authority
from tests.support.exact_bodies import unstuffed
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer
from tests.support.swaks import swaks

pytestmark = pytest.mark.integration

HEAD = "From: App <app@example.com>\nTo: b@example.net\nDate: Sat, 21 Nov 2026 10:00:00 +0000\nSubject: s\n"
ENVELOPE = ("--from", "app@example.com", "--to", "b@example.net")
BODIES = {
    "dots": ".\n..\n.hidden\n",
    "long line": "x" * 20_000 + "\n",
    "8-bit": "grüße, 你好\n",
    "trailing blanks": "a   \n\t\n \n",
    "no final line end": "the end",
    "empty lines": "\n\n\n",
}


class Stage:
    """A relay between swaks and a server that remembers."""

    def __init__(self, relay: RelayProcess, server: ScriptedServer, authority: Authority) -> None:
        self.relay, self.server, self.authority = relay, server, authority

    async def delivered(self, count: int = 1) -> None:
        await self.relay.until("/v1/report", lambda one: one.get("delivered") == count)


@pytest_asyncio.fixture
async def stage(tmp_path: Path, free_port: int) -> AsyncIterator[Stage]:
    authority = Authority(tmp_path)
    pair = authority.issue("relay", subject_alt_name="DNS:localhost,IP:127.0.0.1")
    secrets = {"tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": pair.key.read_text()}
    async with ScriptedServer() as server:
        out = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
        listeners = [{"name": "smtp", "port": free_port, "tls": "StartTLS"}]
        config = relay_document([out], free_port, listeners=listeners)
        async with running_relay(tmp_path, config, secrets) as relay:
            yield Stage(relay, server, authority)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("options", [(), ("--pipeline",)], ids=["turns", "pipeline"])
async def test_what_swaks_sends_is_what_arrives(stage: Stage, name: str, options: tuple[str, ...]) -> None:
    content = HEAD + "\n" + BODIES[name]
    told = await swaks(stage.relay.smtp, *ENVELOPE, *options, content=content)
    assert told.code == 0, told.transcript
    await stage.delivered()
    (one,) = stage.server.accepted
    expected = (BODIES[name] + "\n").replace("\n", "\r\n").encode()  # swaks always adds a line end
    assert unstuffed(one.data).partition(b"\r\n\r\n")[2] == expected
    assert b"by relay.example.com" in one.data


async def test_starttls_that_swaks_verifies(stage: Stage) -> None:
    ca = str(stage.authority.folder / "ca.pem")
    options = ("--tls", "--tls-verify", "--tls-ca-path", ca)
    told = await swaks(stage.relay.smtp, *ENVELOPE, *options, content=HEAD + "\ntext\n")
    _need_tls(told.transcript)
    assert told.code == 0, told.transcript
    assert "TLS started" in told.transcript
    assert not any("STARTTLS" in one for one in told.replies()[-10:])
    await stage.delivered()
    assert stage.relay.events("accepted")[0]["tls"] is True
    assert b"with ESMTPS" in stage.server.accepted[0].data


def _need_tls(transcript: str) -> None:
    if "Net::SSLeay" in transcript:
        pytest.skip("swaks has no TLS here: `make setup` as root, or install the package libnet-ssleay-perl")


async def test_several_recipients_in_one_transaction(stage: Stage) -> None:
    told = await swaks(
        stage.relay.smtp, "--from", "app@example.com", "--to", "a@example.net,b@example.net,c@example.org"
    )
    assert told.code == 0, told.transcript
    await stage.delivered(3)
    assert [one.recipients for one in stage.server.accepted] == [("a@example.net", "b@example.net", "c@example.org")]


async def test_the_null_sender_leaves_as_such(stage: Stage) -> None:
    told = await swaks(stage.relay.smtp, "--from", "<>", "--to", "b@example.net", content=HEAD + "\ntext\n")
    assert told.code == 0, told.transcript
    await stage.delivered()
    assert stage.server.accepted[0].sender == ""


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        (HEAD + "\nnul \0 here\n", "550 5.6.0"),
        (HEAD + "Subject: twice\n\ntext\n", "550 5.6.0"),
        ("To: b@example.net\nSubject: s\n\nno From\n", "550 5.6.0"),
    ],
    ids=["NUL", "two subjects", "no From"],
)
async def test_what_must_not_pass_is_refused_before_the_250(stage: Stage, content: str, reply: str) -> None:
    told = await swaks(stage.relay.smtp, *ENVELOPE, content=content)
    assert told.code == 26, told.transcript
    assert any(one.startswith(reply) for one in told.replies()), told.transcript
    assert stage.server.messages == []


async def test_auth_is_not_offered_and_no_password_is_asked_for(stage: Stage) -> None:
    told = await swaks(stage.relay.smtp, *ENVELOPE, "--auth", "PLAIN", "-au", "x", "-ap", "canary-19d2")
    assert told.code == 28, told.transcript
    assert "canary-19d2" not in stage.relay.log()


@pytest.mark.parametrize("size", [1_000_000, 30_000_000])
async def test_a_large_message_is_taken_or_refused_by_the_size_that_ehlo_names(stage: Stage, size: int) -> None:
    options: tuple[Any, ...] = ("--hide-all", "--show-raw-text") if size < 26_000_000 else ("--hide-all",)
    content = HEAD + "\n" + ("y" * 75 + "\n") * (size // 76)
    told = await swaks(stage.relay.smtp, *ENVELOPE, *options, content=content)
    assert (told.code == 0) == (size < 26_000_000), told.transcript[-500:]
    assert len(stage.relay.events("accepted")) == (size < 26_000_000)
