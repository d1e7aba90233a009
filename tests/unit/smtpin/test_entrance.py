"""Who may send: what a session does while a password is checked, and what it counts."""

import asyncio
import base64
from asyncio.sslproto import SSLProtocol
from typing import Any, cast

import pytest
from tests.support.listening import Bench, Wire, running_of

from mailhaul_contract.accounts import Plain
from mailhaul_relay.model.secrets import Certificate, Secrets
from mailhaul_relay.smtpin import limits
from mailhaul_relay.smtpin.logins import Attempt, Done, Verdict

RIGHT = base64.b64encode(b"\0shop\0right")
LOGIN = b"EHLO x\r\nAUTH PLAIN " + RIGHT + b"\r\n"
MAIL = b"MAIL FROM:<app@example.com>\r\n"


class HeldLogins:
    """Logins whose verdicts the test gives."""

    def __init__(self) -> None:
        self.asked: list[tuple[Attempt, Done]] = []

    def check(self, attempt: Attempt, accounts: object, done: Done) -> None:  # noqa: ARG002
        self.asked.append((attempt, done))

    def answer(self, verdict: Verdict, *, ban: bool = False) -> None:
        self.asked.pop(0)[1](verdict, ban)


def bench_of(**listener: Any) -> Bench:  # noqa: ANN401 - JSON
    rules = {"name": "smtp", "port": 2525, "tls": "StartTLS", "auth": "Optional", **listener}
    secrets = Secrets(certificates={"smtp": Certificate(b"", b"")}, accounts={"shop": Plain(b"right")})
    return Bench(running_of({"listeners": [rules], "clients": {"allowedNetworks": []}}, secrets))


def held() -> tuple[Bench, HeldLogins, Wire]:
    """A session within TLS (as far as it can tell) whose login waits for its verdict."""
    bench, logins = bench_of(), HeldLogins()
    bench.logins = logins  # type: ignore[assignment]
    wire = bench.connect("192.0.2.1")
    wire.session._tls_protocol = cast("SSLProtocol", object())
    wire.take()
    return bench, logins, wire


async def test_no_command_is_taken_until_the_verdict() -> None:
    _, logins, wire = held()
    assert wire.send(LOGIN + MAIL).endswith(b"ENHANCEDSTATUSCODES\r\n")
    logins.answer(Verdict.ACCEPTED)
    assert wire.take() == b"235 2.7.0 Authentication successful\r\n250 2.1.0 Ok\r\n"
    wire.close()


async def test_what_comes_meanwhile_is_bounded() -> None:
    _, logins, wire = held()
    wire.send(LOGIN)
    wire.session.data_received(b"NOOP\r\n" * 50)
    stopped = not wire.reading
    logins.answer(Verdict.REFUSED)
    assert (stopped, wire.reading) == (True, True)
    assert wire.take().startswith(b"535 5.7.8 ")
    wire.close()


async def test_a_verdict_for_a_session_that_is_gone_is_counted_and_nothing_else() -> None:
    bench, logins, wire = held()
    wire.send(LOGIN)
    wire.close()
    logins.answer(Verdict.REFUSED, ban=True)
    assert bench.tally.logins["refused"] == 1
    assert any("login-ban" in line for line in bench.lines)
    assert wire.said == b""


async def test_a_client_that_ends_its_side_hears_its_verdict() -> None:
    _, logins, wire = held()
    wire.session._original_transport = None
    wire.send(LOGIN)
    assert wire.session.eof_received()
    logins.answer(Verdict.REFUSED)
    assert not wire.is_open
    assert wire.said.startswith(b"535 ")


async def test_a_verdict_that_never_comes_ends_with_the_silence() -> None:
    _, _, wire = held()
    wire.send(LOGIN)
    wire.session.check_time(wire.session.loop.time() + limits.COMMAND_IDLE + 1)
    assert wire.take().startswith(b"421 4.4.2")
    wire.close()


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.REFUSED, b"535"), (Verdict.BANNED, b"454"), (Verdict.BUSY, b"454")]
)
async def test_three_logins_that_fail_end_the_session_however_they_fail(verdict: Verdict, code: bytes) -> None:
    _, logins, wire = held()
    wire.send(b"EHLO x\r\n")
    for _ in range(limits.LOGINS):
        wire.send(b"AUTH PLAIN " + RIGHT + b"\r\n")
        logins.answer(verdict)
        said = wire.take()
        assert said.startswith(code + b" ")
    assert b"\r\n421 4.7.0 Too many failed logins\r\n" in said
    wire.close()


async def test_what_was_typed_is_given_to_be_checked_with_the_clients_address() -> None:
    _, logins, wire = held()
    wire.send(LOGIN)
    assert logins.asked[0][0] == Attempt("192.0.2.1", False, "shop", b"right")
    logins.answer(Verdict.REFUSED)
    wire.close()


async def test_draining_ends_a_session_that_is_asked_for_its_password() -> None:
    _, _, wire = held()
    wire.send(b"EHLO x\r\nAUTH LOGIN\r\n")
    assert wire.session.is_idle
    wire.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(("auth", "counted"), [("Required", 0), ("Optional", 1)])
async def test_an_address_that_hides_its_client_matters_only_where_it_could_be_trusted(auth: str, counted: int) -> None:
    bench = bench_of(auth=auth)
    bench.nodes = frozenset({"10.0.0.5"})
    bench.connect("10.0.0.5").close()
    assert bench.tally.client_identity_lost == counted
