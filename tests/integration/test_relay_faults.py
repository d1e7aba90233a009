"""Upstreams and machines that fail around the real relay: mail arrives once or is held where everybody sees it.

No loss, ever; a double only where nobody could know (the connection died after the final dot).
"""

import asyncio
import json
import os
import resource
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.faults.shims import build
from tests.support.ledger import Clients, Ledger
from tests.support.programs import need
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
RETRY = {"retry": {"initial": 1, "max": 1}}
POINTS = ("banner", "ehlo", "mail", "rcpt", "data")


def upstream(name: str, port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    out = {"name": name, "provider": name, "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}}
    return out | {"connections": {"replyTimeout": 1}} | changes


def document(server: ScriptedServer, port: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return relay_document([upstream("up", server.port, **changes)], port, queue=RETRY)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("fault", ["hang", "drop", "reset", "garbage"])
async def test_trouble_before_the_final_dot_fails_over_at_once_and_mail_arrives_once(
    tmp_path: Path, free_port: int, point: str, fault: str
) -> None:
    step: Any = {"raw": "\0\1 this is no SMTP\r\n" * 3} if fault == "garbage" else fault
    ledger = Ledger()
    async with ScriptedServer({"steps": {point: step}}) as bad, ScriptedServer() as good:
        ledger.watch(bad, "bad")
        ledger.watch(good, "good")
        both = [upstream("bad", bad.port), upstream("good", good.port, priority=10)]
        async with running_relay(tmp_path, relay_document(both, free_port, queue=RETRY)) as relay:
            await Clients(ledger, relay.smtp, sizes=(4096, 65536)).run(2, 5)
            report = await relay.until("/v1/report", lambda one: one.get("delivered") == 10, 30)
        assert report["upstreams"][0]["lastReply"]["fault"] in {"connection", "protocol"}
    assert (len(ledger.promised), ledger.lost, ledger.doubled, ledger.damaged) == (10, [], {}, [])
    assert {name for names in ledger.upstreams.values() for name in names} == {"good"}


async def test_an_upstream_that_flaps_gets_every_message_once(tmp_path: Path, free_port: int) -> None:
    """Up for a moment, away for a moment, with 421 after three messages; the breaker is told it is another one."""
    ledger = Ledger()
    async with ScriptedServer({"close_after": 3}) as server:
        ledger.watch(server)
        async with running_relay(tmp_path, document(server, free_port)) as relay:
            clients = Clients(ledger, relay.smtp, pause=0.01)
            load = asyncio.create_task(clients.run(4))
            for _ in range(4):
                await asyncio.sleep(0.4)
                server.play({"connect": "refuse"})
                await asyncio.sleep(0.2)
                server.play({"close_after": 3})
            clients.stop()
            await asyncio.wait_for(load, 20)
            (tmp_path / "relay.v1.json").write_text(json.dumps(document(server, free_port) | _MENDED))
            await ledger.settled(60)
    assert (ledger.lost, ledger.doubled, ledger.damaged) == ([], {}, [])
    assert len(ledger.promised) > 20


_MENDED = {"hostname": "mended.example.com"}
"""Connections to upstreams are made anew when the relay's name changes, and so are their breakers."""


async def test_a_slow_upstream_gets_every_message_once(tmp_path: Path, free_port: int) -> None:
    ledger = Ledger()
    steps = {"mail": {"reply": "250 2.1.0 ok", "drip": 0.02}, "dot": {"delay": 0.3}}
    async with ScriptedServer({"steps": steps}) as server:
        ledger.watch(server)
        out = document(server, free_port, connections={"max": 10, "replyTimeout": 5})
        async with running_relay(tmp_path, out) as relay:
            await Clients(ledger, relay.smtp, sizes=(4096,)).run(4, 10)
            await ledger.settled(30)
    assert (len(ledger.promised), ledger.lost, ledger.doubled) == (40, [], {})


@pytest.mark.parametrize("fault", ["drop", "reset", "garbage"])
async def test_when_nobody_knows_it_is_tried_there_twice_more_then_held_and_told(
    tmp_path: Path, free_port: int, fault: str
) -> None:
    """The other upstream never gets it: that would double it. A person may decide."""
    step: Any = {"raw": "what?\r\n", "action": "drop"} if fault == "garbage" else fault
    async with ScriptedServer({"steps": {"dot": step}}) as bad, ScriptedServer() as good:
        both = [upstream("bad", bad.port), upstream("good", good.port, priority=10)]
        async with running_relay(tmp_path, relay_document(both, free_port, queue=RETRY)) as relay:
            await relay.submit(MAIL)
            await asyncio.sleep(0.2)
            await _breaker_due(relay, bad)
            report = await relay.until("/v1/report", lambda one: one["queue"].get("held") == 1, 60)
            assert len(bad.messages) == 3
            assert report["upstreams"][0]["unknown"] == 3
            (row,) = (await relay.get("/v1/queue?state=held")).json()["messages"]
            held = f"/v1/queue/{row['id']}"
            assert (await relay.get(held)).json()["recipients"][0]["pinned"] == "bad"
            assert good.messages == []
            assert (await relay.post(f"{held}/retry", b'{"upstream": "good"}')).status == 200
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1)
        assert len(good.accepted) == 1
        assert len({one.data for one in bad.messages}) == 1


async def _breaker_due(relay: RelayProcess, bad: ScriptedServer) -> None:
    """Wait for the three attempts, each a second after the other."""
    async with asyncio.timeout(60):
        while len(bad.messages) < 3:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("option", ["-f", "-r"])
async def test_smtp_sink_that_refuses_commands_loses_nothing(tmp_path: Path, free_ports: Any, option: str) -> None:  # noqa: ANN401
    """Postfix's smtp-sink answers some commands with 5xx (-f) or 4xx (-r): mail is held, or tried again."""
    port, sink_port = free_ports(2)
    options = (option, "DATA") if option == "-f" else (option, "RCPT")
    sink = await _sink(sink_port, *options)
    try:
        out = relay_document([upstream("up", sink_port)], port, queue=RETRY)
        async with running_relay(tmp_path, out) as relay:
            await relay.submit(MAIL)
            kept = "held" if option == "-f" else "deferred"
            report = await relay.until("/v1/report", lambda one: one["queue"].get(kept) == 1)
            assert report["upstreams"][0]["lastReply"]["code"] // 100 == (5 if option == "-f" else 4)
            await _ended(sink)
            sink = await _sink(sink_port)
            assert (await relay.post("/v1/queue/retry", json.dumps({"states": [kept]}).encode())).status == 200
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1, 40)
    finally:
        await _ended(sink)


async def _sink(port: int, *options: str) -> asyncio.subprocess.Process:
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    words = (*user, *options, f"127.0.0.1:{port}", "100")
    sink = await asyncio.create_subprocess_exec(str(need("smtp-sink")), *words)
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return sink


async def _ended(sink: asyncio.subprocess.Process) -> None:
    if sink.returncode is None:
        sink.terminate()
        await sink.wait()


async def test_two_faults_in_a_row_are_both_told_and_held_mail_leaves_as_each_is_mended(
    tmp_path: Path, free_port: int
) -> None:
    """First the password is wrong; behind it the provider refuses the From after the final dot."""
    refusal = "554 Message rejected: Email address is not verified. Identities failed the check: app@example.com"
    script = {"accounts": {"relay": "right"}, "steps": {"dot": refusal}}
    wrong = {"provider.up.username": "relay", "provider.up.password": "wrong"}
    async with ScriptedServer(script) as server:
        out = document(server, free_port, auth="Plain", profile="ses")
        async with running_relay(tmp_path, out, wrong) as relay:
            for _ in range(3):
                await relay.submit(MAIL)
            report = await relay.until("/v1/report", lambda one: one["queue"].get("held") == 3)
            assert report["upstreams"][0]["breakerFault"] == "auth"
            assert "Secret" in report["lastError"]["remedy"]
            (relay.token_file.parent / "provider.up.password").write_text("right", encoding="utf-8")
            report = await relay.until("/v1/report", _sender_refused)
            assert report["upstreams"][0]["refusedSenders"] == ["example.com"]
            assert report["upstreams"][0]["breaker"] == "Closed"
            assert "Verify" in report["lastError"]["remedy"]
            server.play({"accounts": {"relay": "right"}})
            first = (await relay.get("/v1/queue?state=held")).json()["messages"][0]["id"]
            # The first that the provider takes is proof of its mended side: the others follow at once.
            assert (await relay.post(f"/v1/queue/{first}/retry", b'{"upstream": "up"}')).status == 200
            report = await relay.until("/v1/report", lambda one: one.get("delivered") == 3)
            assert not report["upstreams"][0].get("refusedSenders")
        assert len(server.accepted) == 3


def _sender_refused(report: dict[str, Any]) -> bool:
    return bool(report["upstreams"][0].get("refusedSenders")) and report["queue"].get("held") == 3


async def test_mail_fails_over_by_priority_and_returns_to_the_first_when_it_is_well(
    tmp_path: Path,
    free_ports: Any,  # noqa: ANN401 - a function
) -> None:
    port, _ = free_ports(2)
    async with ScriptedServer() as one, ScriptedServer() as two, ScriptedServer() as three:
        ups = [upstream(name, s.port, priority=p) for name, s, p in (("c", three, 20), ("a", one, 0), ("b", two, 10))]
        config = relay_document(ups, port, queue=RETRY)
        async with running_relay(tmp_path, config) as relay:
            for servers_away, expected in ((), one), ((one,), two), ((one, two), three):
                for server in servers_away:
                    server.play({"connect": "refuse", "steps": {"mail": "drop"}})
                    await server.settled()
                before = len(expected.accepted)
                await relay.submit(MAIL)
                await _grown(expected, before)
            one.play({})
            two.play({})
            (tmp_path / "relay.v1.json").write_text(json.dumps(config | _MENDED))
            await relay.until("/v1/report", _all_closed, 10)
            before = len(one.accepted)
            await relay.submit(MAIL)
            await _grown(one, before)
        assert [len(server.accepted) for server in (one, two, three)] == [2, 1, 1]


def _all_closed(report: dict[str, Any]) -> bool:
    return {one["breaker"] for one in report["upstreams"]} == {"Closed"}


async def _grown(server: ScriptedServer, before: int) -> None:
    async with asyncio.timeout(20):
        while len(server.accepted) <= before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


# The machine's own faults


@pytest.fixture
def small_spool(tmp_path: Path) -> Iterator[Path]:
    """The relay's spool directory on a file system of 40 MiB: 32 are the reserve."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs root and mount(8) for a small tmpfs")
    spool = tmp_path / "spool"
    spool.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=40m,mode=700", "mailhaul-test", str(spool)]
    if subprocess.run(command, check=False, capture_output=True, timeout=30).returncode != 0:
        pytest.skip("this root may not mount a tmpfs")
    yield spool
    subprocess.run(["umount", "--lazy", str(spool)], timeout=30, check=True)


def _send(port: int, ledger: Ledger, size: int) -> str:
    """Submit one message; gives the reply to it as `code text`."""
    sequence, content = ledger.message(size)
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.helo()
        client.mail("app@example.com")
        client.rcpt("b@example.net")
        client.putcmd("data")
        if client.getreply()[0] != 354:
            return "no 354"
        client.send(content + b".\r\n")
        code, text = client.getreply()
    if code == 250:
        ledger.promise(sequence)
    return f"{code} {text.decode()}"


async def _taken_again(relay: RelayProcess, ledger: Ledger, size: int) -> None:
    async with asyncio.timeout(20):
        while not (await asyncio.to_thread(_send, relay.smtp, ledger, size)).startswith("250"):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def test_a_full_disk_is_452_and_mail_flows_again_by_itself(
    tmp_path: Path, free_port: int, small_spool: Path
) -> None:
    ledger = Ledger()
    async with ScriptedServer({"connect": "refuse"}) as server:
        ledger.watch(server)
        async with running_relay(tmp_path, document(server, free_port)) as relay:
            replies = [await asyncio.to_thread(_send, relay.smtp, ledger, 500_000) for _ in range(30)]
            codes = [one[:9] for one in replies]
            assert set(codes) == {"250 2.0.0", "452 4.3.1"}
            assert len(ledger.promised) >= 5
            (small_spool / "hog").write_bytes(bytes(shutil.disk_usage(small_spool).free - 4096))
            assert (await asyncio.to_thread(_send, relay.smtp, ledger, 300)).startswith("452 4.3.1")
            (small_spool / "hog").unlink()
            server.play({})
            await server.settled()
            (tmp_path / "relay.v1.json").write_text(json.dumps(document(server, free_port) | _MENDED))
            await ledger.settled(30)
            assert ledger.lost == []
            await _taken_again(relay, ledger, 500_000)
            await ledger.settled(30)
    assert (ledger.lost, ledger.doubled, ledger.damaged) == ([], {}, [])


@pytest.mark.parametrize("size", [300, 300_000])
async def test_a_failing_fsync_is_451_and_mail_flows_again_by_itself(tmp_path: Path, free_port: int, size: int) -> None:
    ledger = Ledger()
    failing = tmp_path / "failing"
    shim = {"LD_PRELOAD": str(build("failing_sync", tmp_path)), "FAULT_CONTROL": str(failing)}
    async with ScriptedServer({"steps": {"dot": {"delay": 0.5, "times": 1}}}) as server:
        ledger.watch(server)
        async with running_relay(tmp_path, document(server, free_port), environment=shim) as relay:
            # The first is delivered while nothing can be stored: that it left must not be forgotten.
            assert (await asyncio.to_thread(_send, relay.smtp, ledger, size)).startswith("250")
            failing.touch()
            await ledger.settled(20)
            refused = [await asyncio.to_thread(_send, relay.smtp, ledger, size) for _ in range(5)]
            assert {one[:9] for one in refused} == {"451 4.3.0"}
            assert (await relay.get("/healthz")).status == 503
            failing.unlink()
            for _ in range(5):
                assert (await asyncio.to_thread(_send, relay.smtp, ledger, size)).startswith("250")
            async with asyncio.timeout(15):
                while (await relay.get("/healthz")).status != 200:  # noqa: ASYNC110 - it is measured anew now and then
                    await asyncio.sleep(0.1)
            await ledger.settled(20)
    assert (len(ledger.promised), ledger.lost, ledger.doubled) == (6, [], {})
    assert set(ledger.arrivals) == set(ledger.promised), "what was refused must not come back"


async def test_too_many_open_files_refuse_for_a_while_and_lose_nothing(tmp_path: Path, free_port: int) -> None:
    ledger = Ledger()
    async with ScriptedServer() as server:
        ledger.watch(server)
        async with running_relay(tmp_path, document(server, free_port)) as relay:
            pid = relay.process.pid
            assert (await asyncio.to_thread(_send, relay.smtp, ledger, 300_000)).startswith("250")
            await ledger.settled(20)
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            reader, writer = await asyncio.open_connection("127.0.0.1", relay.smtp)
            await asyncio.wait_for(reader.readline(), 10)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
            _, content = ledger.message(300_000)
            writer.write(b"HELO c\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
            for expected in (b"250", b"250", b"250", b"354"):
                assert (await asyncio.wait_for(reader.readline(), 10)).startswith(expected)
            writer.write(content + b".\r\n")
            assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"451 4.3.0")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            writer.close()
            await _taken_again(relay, ledger, 300_000)
            await ledger.settled(30)
    assert (len(ledger.promised), ledger.lost, ledger.doubled) == (2, [], {})
