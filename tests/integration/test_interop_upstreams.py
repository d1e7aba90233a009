"""Postfix and Exim as the relay's upstream: STARTTLS with an own authority, AUTH, every octet as it was accepted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.exact_bodies import BODIES, subject_and_body, submit_all
from tests.support.exim import AUTHENTICATORS, Exim, Way, exim
from tests.support.ledger import Clients, Ledger
from tests.support.postfix import Postfix, postfix
from tests.support.postfix_accounts import SETTINGS, accounts
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

USER, PASSWORD = "relay", "interop-canary-8a41"
SECRETS = {"provider.up.username": USER, "provider.up.password": PASSWORD}
SERVERS = ("postfix", "exim")
MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> Pair:
    return authority.issue("good", subject_alt_name="DNS:localhost,IP:127.0.0.1")


def upstream(port: int, ca: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "name": "up", "provider": "up", "host": "localhost", "port": port, "auth": "Auto",
        "tls": {"mode": "StartTLS", "ca": ca}, "connections": {"addressFamily": "IPv4"},
    } | changes  # fmt: skip


@asynccontextmanager
async def server(kind: str, final: ScriptedServer, pair: Pair, known: str = PASSWORD) -> AsyncIterator[Postfix | Exim]:
    """One of both, with TLS and one account; what it takes goes on to the final server."""
    if kind == "postfix":
        tls = (f"smtpd_tls_cert_file = {pair.chain}", f"smtpd_tls_key_file = {pair.key}")
        extra = ("smtpd_tls_security_level = may", "smtp_line_length_limit = 0", "smtpd_tls_received_header = yes")
        with postfix(f"[127.0.0.1]:{final.port}", *SETTINGS, *tls, *extra) as one:
            async with accounts(one.folder, {USER: known}):
                yield one
        return
    tls = (f"tls_certificate = {_readable(pair.chain)}", f"tls_privatekey = {_readable(pair.key)}")
    way = Way(final.port, transport=("hosts_avoid_tls = *", "message_linelength_limit = 1000000"))
    login = AUTHENTICATORS.format(name=USER, password=known)
    with exim(way, "tls_advertise_hosts = *", *tls, authenticators=login) as two:
        yield two


def _readable(path: Path) -> Path:
    """Exim reads certificates as its own user."""
    for one in (path, *path.parents):
        if one.stat().st_uid == path.stat().st_uid and one != Path("/"):
            one.chmod(one.stat().st_mode | (0o044 if one.is_file() else 0o011))
    return path


async def _arrived(final: ScriptedServer, count: int) -> None:
    async with asyncio.timeout(60):
        while len(final.accepted) < count:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("mechanism", ["Plain", "Login"])
async def test_every_octet_arrives_through_starttls_and_auth(
    kind: str, mechanism: str, tmp_path: Path, free_port: int, authority: Authority, good: Pair
) -> None:
    async with ScriptedServer() as final, server(kind, final, good) as peer:
        document = relay_document([upstream(peer.port, authority.pem, auth=mechanism)], free_port)
        async with running_relay(tmp_path, document, SECRETS) as relay:
            await asyncio.to_thread(submit_all, relay.smtp)
            await relay.until("/v1/report", lambda one: one.get("delivered") == len(BODIES), 40)
        await _arrived(final, len(BODIES))
        assert dict(subject_and_body(one.data) for one in final.accepted) == BODIES
        assert len(final.accepted) == len(BODIES)
        assert {one.sender for one in final.accepted} == {"app@example.com"}
        marks = {"postfix": b"with ESMTPSA", "exim": b"with esmtpsa"}
        assert all(marks[kind] in one.data for one in final.accepted)
        assert PASSWORD not in relay.log()


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_wrong_password_holds_and_the_right_one_lets_go_without_a_restart(
    kind: str, tmp_path: Path, free_port: int, authority: Authority, good: Pair
) -> None:
    async with ScriptedServer() as final, server(kind, final, good) as peer:
        document = relay_document([upstream(peer.port, authority.pem)], free_port)
        wrong = SECRETS | {"provider.up.password": "not-this-one"}
        async with running_relay(tmp_path, document, wrong) as relay:
            await relay.submit(MAIL)
            report = await relay.until("/v1/report", lambda one: one["queue"].get("held"))
            (told,) = report["upstreams"]
            assert (told["breaker"], told["breakerFault"], told["lastReply"]["code"]) == ("Open", "auth", 535)
            assert "Secret" in told["lastReply"]["remedy"]
            (relay.token_file.parent / "provider.up.password").write_text(PASSWORD, encoding="utf-8")
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
        await _arrived(final, 1)


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize(
    ("fault", "words"), [("expired", "expired"), ("name", "mismatch"), ("authority", "unable to get local issuer")]
)
async def test_a_certificate_that_proves_nothing_holds_the_mail_and_the_report_says_why(
    kind: str, fault: str, words: str, tmp_path: Path, free_port: int, authority: Authority
) -> None:
    names = "DNS:other.example" if fault == "name" else "DNS:localhost,IP:127.0.0.1"
    pair = authority.issue(fault, subject_alt_name=names, expired=fault == "expired")
    (tmp_path / "other").mkdir()
    ca = Authority(tmp_path / "other").pem if fault == "authority" else authority.pem
    async with ScriptedServer() as final, server(kind, final, pair) as peer:
        document = relay_document([upstream(peer.port, ca)], free_port)
        async with running_relay(tmp_path, document, SECRETS) as relay:
            await relay.submit(MAIL)
            report = await relay.until("/v1/report", lambda one: one["queue"].get("held"))
            (told,) = report["upstreams"]
            assert (told["breakerFault"], told["lastReply"]["stage"]) == ("tls", "tls")
            assert words in told["lastReply"]["text"].lower()
            assert told["lastReply"]["remedy"]
        assert final.accepted == []


@pytest.mark.parametrize("kind", SERVERS)
async def test_recipients_that_are_refused_do_not_stop_the_others(kind: str, tmp_path: Path, free_port: int) -> None:
    """Postfix and Exim refuse one of three at RCPT, in their own words."""
    async with ScriptedServer() as final:
        peer = _refusing_postfix(final) if kind == "postfix" else _refusing_exim(final)
        with peer as one:
            document = relay_document([upstream(one.port, "", auth="None", tls={"mode": "None"})], free_port)
            async with running_relay(tmp_path, document) as relay:
                await relay.submit(MAIL, to=("a@example.net", "gone@example.net", "c@example.net"))
                report = await relay.until(
                    "/v1/report", lambda one: one.get("failed") == 1 and one["queue"].get("dead")
                )
                assert (report["delivered"], report["queue"]["dead"]) == (2, 1)
            await _arrived(final, 1)
            assert final.accepted[0].recipients == ("a@example.net", "c@example.net")


def _refusing_postfix(final: ScriptedServer) -> Any:  # noqa: ANN401 - a context manager of either kind
    access = "inline:{ { gone@example.net = 550 5.1.1 user unknown } }"
    return postfix(f"[127.0.0.1]:{final.port}", f"smtpd_recipient_restrictions = check_recipient_access {access}")


def _refusing_exim(final: ScriptedServer) -> Any:  # noqa: ANN401 - a context manager of either kind
    return exim(Way(final.port), judge="  deny message = 5.1.1 Unknown user\n       local_parts = gone\n  accept")


async def test_mail_fails_over_from_a_postfix_that_ends_to_an_exim(tmp_path: Path, free_port: int) -> None:
    """Nothing is lost or doubled, and both took their part."""
    ledger = Ledger()
    async with ScriptedServer() as final:
        ledger.watch(final)
        with contextlib.ExitStack() as first, exim(Way(final.port)) as second:
            primary = first.enter_context(postfix(f"[127.0.0.1]:{final.port}"))
            plain: dict[str, Any] = {"auth": "None", "tls": {"mode": "None"}}
            ups = [
                upstream(primary.port, "", **plain),
                upstream(second.port, "", **plain, name="backup", provider="backup", priority=10),
            ]
            async with running_relay(tmp_path, relay_document(ups, free_port)) as relay:
                await Clients(ledger, relay.smtp, sizes=(4096,)).run(3, 10)
                await relay.until("/v1/report", lambda one: one.get("delivered") == 30, 30)
                await ledger.settled(30)
                # What it took has left its own queue, which goes with it; the relay still holds connections to it.
                await asyncio.to_thread(first.close)
                await Clients(ledger, relay.smtp, sizes=(4096,)).run(3, 30)
                report = await relay.until("/v1/report", lambda one: one["delivered"] == 120, 60)
            await ledger.settled(30)
    assert [up["delivered"] for up in report["upstreams"]] == [30, 90]
    assert (ledger.lost, ledger.doubled, ledger.damaged) == ([], {}, [])
