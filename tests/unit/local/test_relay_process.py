"""A relay that dies is started again after a growing pause; a stop is clean, and bounded."""

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mailhaul_operator.local.process import LONGEST_PAUSE, STEADY, Process, RelayProcess, last_words, pause_after, spawn


class FakeProcess:
    """Lives `lasts` seconds of virtual time, or until it is told to stop, when it takes `stubborn` seconds more."""

    def __init__(self, pid: int, lasts: float = 1e9, code: int = 1, stubborn: float = 0.0) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.signals: list[str] = []
        self._stubborn = stubborn
        self._ended = asyncio.Event()
        asyncio.get_running_loop().call_later(lasts, self._end, code)

    def _end(self, code: int) -> None:
        if self.returncode is None:
            self.returncode = code
            self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self.signals.append("TERM")
        asyncio.get_running_loop().call_later(self._stubborn, self._end, 0)

    def kill(self) -> None:
        self.signals.append("KILL")
        self._end(-signal.SIGKILL)


class Starter:
    """Starts the given fakes in turn and notes when."""

    def __init__(self, *lives: float, stubborn: float = 0.0) -> None:
        self._lives, self._stubborn = list(lives), stubborn
        self.started: list[tuple[float, FakeProcess]] = []

    async def __call__(self, _command: Sequence[str], _log: Path) -> Process:
        life = self._lives.pop(0) if self._lives else 1e9
        process = FakeProcess(100 + len(self.started), life, stubborn=self._stubborn)
        self.started.append((asyncio.get_running_loop().time(), process))
        return process


def relay(starter: Starter, told: list[str]) -> RelayProcess:
    return RelayProcess(["relay"], Path("relay.log"), told.append, starter)


def test_the_pause_grows_and_has_an_end() -> None:
    assert [pause_after(deaths) for deaths in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert pause_after(1000) == LONGEST_PAUSE


@pytest.mark.looptime
async def test_a_relay_that_died_is_started_again_and_it_is_told() -> None:
    starter, told = Starter(1.0, 1.0), list[str]()
    process = relay(starter, told)
    task = asyncio.create_task(process.run())
    await asyncio.sleep(10)
    assert [round(at, 1) for at, _ in starter.started] == [0.0, 1.5, 3.5]
    assert told[0].startswith("died (exit code 1); starts again in 0.5 s")
    await process.stop(1)
    await task


@pytest.mark.looptime
async def test_the_pause_starts_small_again_after_a_steady_run() -> None:
    starter, told = Starter(1.0, 1.0, STEADY + 1), list[str]()
    process = relay(starter, told)
    task = asyncio.create_task(process.run())
    await asyncio.sleep(STEADY + 20)
    assert "starts again in 0.5 s" in told[-1]
    await process.stop(1)
    await task


@pytest.mark.looptime
async def test_a_stop_asks_first_and_starts_nothing_again() -> None:
    starter, told = Starter(stubborn=3.0), list[str]()
    process = relay(starter, told)
    task = asyncio.create_task(process.run())
    await asyncio.sleep(1)
    assert process.pid == 100
    await process.stop(10)
    await task
    assert starter.started[0][1].signals == ["TERM"]
    assert (len(starter.started), process.pid, told) == (1, 0, [])


@pytest.mark.looptime
async def test_a_relay_that_does_not_stop_is_ended_after_the_grace_time_and_told() -> None:
    starter, told = Starter(stubborn=1e6), list[str]()
    process = relay(starter, told)
    task = asyncio.create_task(process.run())
    await asyncio.sleep(1)
    await process.stop(5)
    await task
    assert starter.started[0][1].signals == ["TERM", "KILL"]
    assert asyncio.get_running_loop().time() == pytest.approx(6, abs=0.1)
    assert "did not stop within 5 s" in told[0]


@pytest.mark.looptime
async def test_a_stop_during_the_pause_does_not_wait_for_it() -> None:
    starter, told = Starter(*[0.1] * 20), list[str]()
    process = relay(starter, told)
    task = asyncio.create_task(process.run())
    await asyncio.sleep(60)
    began = asyncio.get_running_loop().time()
    await process.stop(5)
    await task
    assert asyncio.get_running_loop().time() - began < 0.2


@pytest.mark.looptime
async def test_a_stop_while_it_is_being_started_leaves_no_process_behind() -> None:
    class Slow(Starter):
        async def __call__(self, _command: Sequence[str], _log: Path) -> Process:
            await asyncio.sleep(2)
            return await super().__call__(_command, _log)

    starter = Slow()
    process = relay(starter, [])
    task = asyncio.create_task(process.run())
    await asyncio.sleep(1)
    await process.stop(5)
    await task
    assert starter.started[0][1].returncode == -signal.SIGKILL


@pytest.mark.looptime
async def test_a_relay_that_cannot_be_started_counts_as_one_that_died() -> None:
    async def broken(command: Sequence[str], log: Path) -> Process:
        raise FileNotFoundError(2, "No such file or directory")

    told: list[str] = []
    process = RelayProcess(["relay"], Path("relay.log"), told.append, broken)
    task = asyncio.create_task(process.run())
    await asyncio.sleep(2)
    assert "cannot be started: No such file" in told[0]
    await process.stop(1)
    await task


def test_the_last_words_of_a_program_are_told_and_a_log_event_is_none(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    assert last_words(log) == ""
    log.write_text('{"event": "started"}\nmailhaul relay: cannot start: the address is in use\n')
    assert last_words(log) == "mailhaul relay: cannot start: the address is in use"
    log.write_text("x" * 100_000 + '\n{"event": "stopped"}\n')
    assert last_words(log) == ""


async def test_a_real_process_writes_its_output_to_a_file_of_the_owner(tmp_path: Path) -> None:
    log = tmp_path / "relay.log"
    process = await spawn([sys.executable, "-c", "print('hello')"], log)
    assert await process.wait() == 0
    assert log.read_text() == "hello\n"
    assert log.stat().st_mode & 0o777 == 0o600
