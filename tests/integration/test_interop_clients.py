"""Postfix and Exim as clients that use the relay as their smart host, with verified STARTTLS; and smtp-source."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.exact_bodies import BODIES, message, subject_and_body
from tests.support.exim import Exim, Way, exim
from tests.support.postfix import Postfix, postfix
from tests.support.programs import need
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CLIENTS = ("postfix", "exim")
LOAD = 3000
RELAY_NAME = "localhost"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def secrets(pair: Pair) -> dict[str, str]:
    return {"tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": pair.key.read_text()}


def document(port: int, upstream: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A relay with STARTTLS on its listener and a plain upstream."""
    out = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": upstream, "tls": {"mode": "None"}}
    listeners = [{"name": "smtp", "port": port, "tls": "StartTLS"}]
    return relay_document([out | {"connections": {"max": 10}}], port, listeners=listeners) | changes


@asynccontextmanager
async def client(kind: str, relay: int, authority: Authority) -> AsyncIterator[Postfix | Exim]:
    """One of both that hands everything to the relay, and only over TLS that it could verify."""
    ca = authority.folder / "ca.pem"
    if kind == "postfix":
        tls = (
            "smtp_tls_security_level = secure",
            f"smtp_tls_CAfile = {ca}",
            f"smtp_tls_secure_cert_match = {RELAY_NAME}",
        )
        with postfix(f"[{RELAY_NAME}]:{relay}", *tls, "smtp_line_length_limit = 0") as one:
            yield one
        return
    copy = "{folder}/ca.pem"
    tls = ("hosts_require_tls = *", f"tls_verify_certificates = {copy}", "tls_verify_hosts = *")
    way = Way(relay, RELAY_NAME, (*tls, "tls_verify_cert_hostnames = *", "message_linelength_limit = 1000000"))
    with exim(way, authority=ca) as two:
        yield two


@pytest.mark.parametrize("kind", CLIENTS)
async def test_its_mail_comes_in_over_verified_tls_and_leaves_to_the_octet(
    kind: str, tmp_path: Path, free_port: int, authority: Authority
) -> None:
    pair = authority.issue("relay", subject_alt_name=f"DNS:{RELAY_NAME}")
    names = [one for one in BODIES if one != "control characters"]
    async with ScriptedServer() as final:
        async with running_relay(tmp_path, document(free_port, final.port), secrets(pair)) as relay:
            async with client(kind, relay.smtp, authority) as peer:
                for name in names:
                    await peer.sendmail(message(name).replace(b"\r\n", b"\n"), "app@example.com", ["b@example.net"])
                await peer.sendmail(b"From: a@example.com\nSubject: null\n\nbounce", "", ["b@example.net"])
                await relay.until("/v1/report", lambda one: one.get("delivered") == len(names) + 1, 60)
            assert {one["tls"] for one in relay.events("accepted")} == {True}
        arrived = dict(subject_and_body(one.data) for one in final.accepted)
        assert arrived.pop("null") == b"bounce\r\n"
        assert arrived == {name: BODIES[name] for name in names}
        assert len(final.accepted) == len(names) + 1
        assert "" in {one.sender for one in final.accepted}


@pytest.mark.parametrize("kind", CLIENTS)
async def test_it_keeps_its_mail_while_the_certificate_is_wrong_and_sends_when_a_better_one_is_mounted(
    kind: str, tmp_path: Path, free_port: int, authority: Authority
) -> None:
    wrong = authority.issue("elsewhere", subject_alt_name="DNS:elsewhere.example")
    right = authority.issue("relay", subject_alt_name=f"DNS:{RELAY_NAME}")
    async with (
        ScriptedServer() as final,
        running_relay(tmp_path, document(free_port, final.port), secrets(wrong)) as relay,
        client(kind, relay.smtp, authority) as peer,
    ):
        await peer.sendmail(b"From: a@example.com\nSubject: s\n\ntext\n", "a@example.com", ["b@example.net"])
        async with asyncio.timeout(20):
            while not re.search(r"(?i)not verified|certificate (name )?mismatch|verif", peer.log):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert relay.events("accepted") == []
        for name, text in secrets(right).items():
            (relay.token_file.parent / name).write_text(text, encoding="utf-8")
        try:
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1, 40)
        except TimeoutError:
            pytest.fail(f"not sent in 40 s:\n{peer.log}")


@pytest.mark.parametrize("options", [("-s", "20"), ("-s", "20", "-d")], ids=["new-connections", "reused-connections"])
async def test_nothing_of_a_load_of_thousands_is_lost_or_doubled(
    options: tuple[str, ...], tmp_path: Path, free_port: int
) -> None:
    """smtp-source, 20 sessions at once; it numbers its recipients."""
    source = need("smtp-source")
    async with ScriptedServer() as final:
        arrived: Counter[str] = Counter()
        final.at_message = lambda _number: arrived.update(final.messages.pop().recipients)
        settings = {"limits": {"connectionsPerClient": 100}, "listeners": [{"name": "smtp", "port": free_port}]}
        async with running_relay(tmp_path, document(free_port, final.port, **settings)) as relay:
            process = await asyncio.create_subprocess_exec(
                str(source), *options, "-N", "-l", "4096", "-m", str(LOAD), "-f", "a@example.com",
                "-t", "@example.net", f"127.0.0.1:{relay.smtp}", stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            _, said = await asyncio.wait_for(process.communicate(), 120)
            assert (process.returncode, said) == (0, b"")
            report = await relay.until("/v1/report", lambda one: one.get("delivered") == LOAD, 120)
            assert report["accepted"] == LOAD
    assert len(arrived) == LOAD
    assert set(arrived.values()) == {1}
