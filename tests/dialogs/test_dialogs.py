"""Every conversation in the folders beside this file goes as it is written, against a real listener on loopback."""

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.certificates import Authority
from tests.support.dialogs import Player, Step, read, said_by_client
from tests.support.listening import Bench

from mailhaul_contract.accounts import Password, parse_accounts
from mailhaul_contract.config import RelayConfig
from mailhaul_relay.model.secrets import Certificate, Secrets
from mailhaul_relay.policy.running import Running, compile_running

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*/*.smtp"))
NAMES = [str(path.relative_to(FOLDER)) for path in FILES]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificate, ssl.SSLContext]:
    """A listener's certificate, and what its clients trust."""
    authority = Authority(tmp_path_factory.mktemp("tls"))
    pair = authority.issue("relay", subject_alt_name="DNS:relay.example.com,IP:127.0.0.1")
    context = ssl.create_default_context(cadata=authority.pem)
    return Certificate(pair.chain.read_bytes(), pair.key.read_bytes()), context


def running_of(folder: Path, secrets: Secrets) -> Running:
    """Compile the configuration that lies beside the conversations."""
    config = RelayConfig.from_json(json.loads((folder / "relay.json").read_text()))
    running = compile_running(config, secrets, "sha256:dialogs")
    assert isinstance(running, Running), running
    return running


def accounts_of(folder: Path) -> Mapping[str, Password]:
    """Read the SMTP accounts that lie beside the conversations."""
    file = folder / "accounts"
    accounts = parse_accounts(file.read_bytes() if file.exists() else b"")
    assert not accounts.faults
    return accounts.passwords


@pytest.mark.parametrize("path", FILES, ids=NAMES)
async def test_the_conversation_goes_as_written(path: Path, request: pytest.FixtureRequest) -> None:
    trust: ssl.SSLContext | None = None
    secrets = Secrets(srs=(b"a secret of the test",), accounts=accounts_of(path.parent))
    if '"tls": "' in (path.parent / "relay.json").read_text():
        pair, trust = request.getfixturevalue("certificate")
        secrets = replace(secrets, certificates={"smtp": pair})
    bench = Bench(running_of(path.parent, secrets))
    listener = await bench.listen()
    try:
        await Player(bench, listener.port, trust).play(read(path)[1])
    finally:
        await listener.stop(0)
    assert bench.tally.sessions_open == 0
    assert bench.spool.open_bodies == 0


def test_there_are_enough_conversations_and_most_are_malformed() -> None:
    malformed = [path for path in FILES if any(_is_refusal(step) for step in read(path)[1])]
    assert len(FILES) >= 150
    assert len(malformed) > len(FILES) / 2


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_conversation_names_its_clause_or_trap(path: Path) -> None:
    comment, steps = read(path)
    assert "RFC" in comment or "Trap" in comment, "begin with `# RFC nnnn section n` or `# Trap: ...`"
    assert any(step.word in {"s", "closed"} for step in steps)


CHUNKABLE = [
    path
    for path in FILES
    if {step.word for step in read(path)[1]}.isdisjoint({"tls", "spool", "queue", "end"})
    and not any(word in (path.parent / "relay.json").read_text() for word in ('"tls": "', '"proxies"'))
]


@pytest.mark.parametrize("path", CHUNKABLE, ids=[str(path.relative_to(FOLDER)) for path in CHUNKABLE])
def test_chunks_do_not_change_what_is_said(path: Path) -> None:
    running = running_of(path.parent, Secrets(srs=(b"a secret of the test",)))
    steps = read(path)[1]
    octets = said_by_client(steps)
    source = next((step.value for step in steps if step.word == "from"), "127.0.0.1")
    whole = asyncio.run(_converse(running, source, [octets]))

    @settings(max_examples=8, database=None)
    @given(st.lists(st.integers(0, len(octets)), max_size=12).map(sorted))
    def cut(cuts: list[int]) -> None:
        chunks = [octets[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)]
        assert asyncio.run(_converse(running, source, chunks)) == whole

    cut()


async def _converse(running: Running, source: str, chunks: list[bytes]) -> str:
    """Say the chunks on a session; give what it said, with message ids made equal."""
    bench = Bench(running)
    wire = bench.connect(source)
    said = wire.take()
    for chunk in chunks:
        said += wire.send(chunk)
        for _ in range(3 if wire.reading else 6):
            await asyncio.sleep(0)
    for _ in range(4):
        await asyncio.sleep(0)
    said += wire.take()
    wire.close()
    return re.sub(r"queued as \w+", "queued as ID", said.decode())


def _is_refusal(step: Step) -> bool:
    return step.word == "s" and step.value[:1] in {"4", "5"}
