"""How much CPU the listener takes for a message, without spool, queue or delivery: `python bench/listener_profile.py`.

A child process listens with a spool that forgets; this process talks to it over loopback, as a client that waits for
each reply or as one that pipelines, with a connection for each message or one for all. Printed is the child's CPU time
for each message; `--profile` adds where it goes.
"""

import argparse
import asyncio
import cProfile
import multiprocessing
import os
import pstats
import socket
from multiprocessing.connection import Connection

from mailhaul_contract.config import RelayConfig
from mailhaul_relay.model.message import Body, Message
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.ports.clock import wall_clock
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.listener import Listener
from mailhaul_relay.smtpin.reception import Services
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

CONFIG = {
    "contractVersion": 1,
    "relay": {"namespace": "bench", "name": "bench"},
    "hostname": "relay.example.com",
    "listeners": [{"name": "smtp", "port": 2525}],
    "clients": {"allowedNetworks": ["127.0.0.0/8"]},
    "upstreams": [{"name": "sink", "provider": "sink", "host": "sink.example.net"}],
}
_COMMANDS = (b"EHLO client\r\n", b"MAIL FROM:<app@example.com>\r\n", b"RCPT TO:<someone@example.net>\r\n", b"DATA\r\n")


class _NullBody:
    def __init__(self) -> None:
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes) -> None:
        self._size += len(data)

    def finish(self) -> Body:
        return Body(self._size, b"")

    def discard(self) -> None:
        return


class _NullIntake:
    """Accepts on the next turn of the loop, as a spool's commit would at the earliest."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def running(self) -> Running:
        return self._running

    def over_watermark(self) -> bool:
        return False

    def deferral(self, message: Message) -> None:  # noqa: ARG002
        return None

    def new_body(self) -> _NullBody:
        return _NullBody()

    def accept(self, message: Message) -> "asyncio.Future[None]":  # noqa: ARG002
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        loop.call_soon(future.set_result, None)
        return future


async def _serve(control: Connection, *, profile: bool) -> None:
    running = compile_running(RelayConfig.from_json(CONFIG), Secrets(), "bench")
    assert isinstance(running, Running)
    with open(os.devnull, "w", encoding="utf-8") as sink:  # noqa: ASYNC230

        def write(line: str) -> None:
            sink.write(line)
            sink.flush()

        services = Services(_NullIntake(running), ConnectionGate(), Tally(), Log(write), wall_clock)
        listener = await Listener.open(running.config.listeners[0], "127.0.0.1", services, port=0)
        control.send(listener.port)
        profiler = cProfile.Profile() if profile else None
        began = os.times()
        if profiler:
            profiler.enable()
        await asyncio.get_running_loop().run_in_executor(None, control.recv)
        if profiler:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        ended = os.times()
        control.send((ended.user - began.user, ended.system - began.system, services.tally.accepted))
        await listener.stop(0)


def _child(control: Connection, profile: bool) -> None:
    asyncio.run(_serve(control, profile=profile))


def _transact(connection: socket.socket, body: bytes, commands: tuple[bytes, ...], *, pipeline: bool) -> None:
    for group in (b"".join(commands),) if pipeline else commands:
        connection.sendall(group)
        _replies(connection, group.count(b"\r\n"))
    connection.sendall(body)
    _replies(connection, 1)


def _replies(connection: socket.socket, count: int) -> None:
    while count > 0:
        for line in connection.recv(65536).split(b"\r\n"):
            count -= line[3:4] == b" " and line[:1].isdigit()


def _load(port: int, options: argparse.Namespace) -> None:
    head = b"From: app@example.com\r\nTo: someone@example.net\r\nSubject: bench\r\n\r\n"
    text = b"x" * 70 + b"\r\n"
    body = head + text * ((options.size - len(head)) // len(text) + 1) + b".\r\n"
    connection: socket.socket | None = None
    for _ in range(options.messages):
        commands = _COMMANDS[1:] if connection else _COMMANDS
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port))
            _replies(connection, 1)
        _transact(connection, body, commands, pipeline=options.pipeline)
        if not options.reuse:
            connection.sendall(b"QUIT\r\n")
            connection.recv(100)
            connection.close()
            connection = None
    if connection:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--pipeline", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    mine, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=_child, args=(theirs, options.profile))
    child.start()
    _load(mine.recv(), options)
    mine.send("stop")
    user, system, accepted = mine.recv()
    child.join(10)
    kind = ("reuse" if options.reuse else "conn") + ("+pipelining" if options.pipeline else "")
    mean = f"{user / accepted * 1e6:.0f} us user, {system / accepted * 1e6:.0f} us system"
    print(f"{options.size} octets, {kind}: {accepted} messages, CPU each: {mean}")


if __name__ == "__main__":
    main()
