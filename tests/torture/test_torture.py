"""Every verdict of the torture on the real relay process: 0 failures; and on Debian's Postfix, to judge the cases."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.postfix import Postfix, postfix
from tests.support.postfix_accounts import accounts
from tests.support.relay_process import relay_document, running_relay
from tests.torture.__main__ import told
from tests.torture.cases import LEVELS, read_cases
from tests.torture.judge import FAIL, PASS, Verdict
from tests.torture.play import Target
from tests.torture.run import excused, run
from tests.torture.sink import Sink

pytestmark = pytest.mark.integration

DEVIATIONS = Path(__file__).parent / "postfix.toml"
LARGEST = 1_048_576
USER, PASSWORD = "torture", "correct horse"
POSTFIX = (
    "smtpd_helo_required = yes",
    "strict_rfc821_envelopes = yes",
    "strict_smtputf8 = yes",
    "smtpd_forbid_bare_newline = reject",
    "smtpd_forbid_bare_newline_exclusions =",
    "smtpd_forbidden_commands =",
    "smtpd_error_sleep_time = 0",
    "smtpd_client_connection_count_limit = 100",
    "smtp_line_length_limit = 0",
    "hopcount_limit = 110",
    "smtpd_tls_security_level = may",
    "smtpd_tls_chain_files = {folder}/chain.pem",
    "smtpd_sasl_auth_enable = yes",
    "smtpd_sasl_type = dovecot",
    "smtpd_sasl_path = {folder}/accounts",
    "smtpd_tls_auth_only = yes",
    f"message_size_limit = {LARGEST}",
)
"""Postfix as its documentation has it where that is stricter than its defaults."""


def failures(verdicts: Sequence[Verdict]) -> str:
    """The failures as text for a person; "" when there is none."""
    failed = [one for one in verdicts if one.result == FAIL]
    return told(failed) if failed else ""


def certificate(folder: Path) -> Pair:
    return Authority(folder).issue("relay", subject_alt_name="DNS:relay.example.com,IP:127.0.0.1")


def document(sink: Sink) -> dict[str, Any]:
    """A relay that offers all that it can, to clients that may send anything."""
    upstream = {"name": "sink", "provider": "sink", "host": "127.0.0.1", "port": sink.port, "tls": {"mode": "None"}}
    listener = {"name": "smtp", "port": 2525, "tls": "StartTLS", "auth": "Optional"}
    changes = {"listeners": [listener], "postmaster": "ops@example.net", "limits": {"messageSize": LARGEST}}
    return relay_document([upstream], 2525, **changes)


async def test_the_relay_fails_none(tmp_path: Path, free_port: int) -> None:
    pair = certificate(tmp_path)
    files = {
        "tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": pair.key.read_text(),
        "smtp.accounts": f"{USER}:{{PLAIN}}{PASSWORD}\n",
    }  # fmt: skip
    async with Sink() as sink:
        wanted = document(sink)
        wanted["listeners"][0]["port"] = free_port
        async with running_relay(tmp_path, wanted, files) as relay:
            target = Target("127.0.0.1", relay.smtp, user=USER, password=PASSWORD)
            verdicts = await run(read_cases(), target, sink)
            assert relay.events("handler-error") == []
            assert PASSWORD not in relay.log()
    print(told(verdicts).splitlines()[-1])
    assert not failures(verdicts), failures(verdicts)
    assert Counter(one.result for one in verdicts)[PASS] >= 250
    assert sink.strays == []


async def test_the_relay_fails_none_where_tls_begins_at_once(tmp_path: Path, free_port: int) -> None:
    pair = certificate(tmp_path)
    files = {"tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": pair.key.read_text()}
    async with Sink() as sink:
        wanted = document(sink)
        wanted["listeners"] = [{"name": "smtp", "port": free_port, "tls": "Implicit"}]
        async with running_relay(tmp_path, wanted, files) as relay:
            verdicts = await run(read_cases(), Target("127.0.0.1", relay.smtp, tls=True), sink)
            assert relay.events("handler-error") == []
    assert not failures(verdicts), failures(verdicts)
    assert Counter(one.result for one in verdicts)[PASS] >= 250


async def test_postfix_fails_none_but_the_known_deviations(tmp_path: Path) -> None:
    """A case that Postfix fails, though the RFC allows what it does, is a wrong case."""
    pair = certificate(tmp_path)
    async with Sink() as sink:
        with postfix(f"[127.0.0.1]:{sink.port}", *POSTFIX) as server:
            _give(server, pair)
            async with accounts(server.folder, {USER: PASSWORD}):
                target = Target("127.0.0.1", server.port, user=USER, password=PASSWORD)
                verdicts = excused(await run(read_cases(), target, sink), DEVIATIONS)
    print(told(verdicts).splitlines()[-1])
    assert not failures(verdicts), failures(verdicts)


def _give(server: Postfix, pair: Pair) -> None:
    """Put key and certificate where main.cf names them; smtpd reads them at its first client."""
    chain = server.folder / "chain.pem"
    chain.write_bytes(pair.key.read_bytes() + pair.chain.read_bytes())
    shutil.chown(chain, "root")


async def test_a_server_that_takes_lf_dot_lf_for_an_end_fails(tmp_path: Path) -> None:
    """The torture can fail: a server that ends messages as old ones did is caught by every such case."""
    server = await asyncio.start_server(_lax, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cases = [one for one in read_cases() if one.name.startswith("smuggling/false-end[lf-dot-")]
    try:
        verdicts = await run(cases, Target("127.0.0.1", port), None)
    finally:
        server.close()
    assert {one.name: one.result for one in verdicts} == {
        "smuggling/false-end[lf-dot-lf]": FAIL,
        "smuggling/false-end[lf-dot-crlf]": FAIL,
        "smuggling/false-end[lf-dot-cr]": PASS,
        "smuggling/false-end[lf-dot-cr-cr-lf]": PASS,
    }


async def _lax(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that reads lines up to LF and strips what is at their end."""
    writer.write(b"220 lax.example\r\n")
    in_data = False
    while line := await reader.readline():
        if in_data:
            in_data = line.rstrip(b"\n").removesuffix(b"\r") != b"."
            writer.write(b"" if in_data else b"250 taken\r\n")
            continue
        in_data = line.startswith(b"DATA")
        writer.write(b"354 go\r\n" if in_data else b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 ok\r\n")
        if line.startswith(b"QUIT"):
            break
    writer.close()


def test_every_case_names_its_clause_and_there_are_enough() -> None:
    cases = read_cases()
    assert len(cases) >= 250
    assert all("RFC" in one.rule or "LOGIN" in one.rule for one in cases)
    assert {one.level for one in cases} == set(LEVELS)
