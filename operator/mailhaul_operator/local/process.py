"""One relay as a process of its own: started, watched, started again after a pause when it died, stopped cleanly.

`supervisor` has one for each relay. The relay gets its own process group, so that Ctrl-C reaches only `up`, and is told
to stop when `up` itself is killed. Its log lines go to a file. Failures: a relay that cannot be started counts as one
that died.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
STEADY: Final = 60.0
"""Seconds after which a relay counts as running well: the pause starts small again."""
MAX_LOG: Final = 10 * 1024 * 1024
"""Bytes of log after which a start begins a new file and keeps one old."""

_PR_SET_PDEATHSIG: Final = 1
_TAIL: Final = 4096


class Process(Protocol):
    """What `asyncio.subprocess.Process` and the fakes of the tests have in common."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def returncode(self) -> int | None:
        """None while it runs."""

    async def wait(self) -> int:
        """Wait for its end and give the exit code."""

    def terminate(self) -> None:
        """Ask it to stop (SIGTERM)."""

    def kill(self) -> None:
        """Stop it at once (SIGKILL)."""


Spawn = Callable[[Sequence[str], Path], Awaitable[Process]]


def pause_after(deaths: int) -> float:
    """Seconds to wait before the next start, after so many deaths in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(deaths - 1, 16)))


async def spawn(command: Sequence[str], log: Path) -> Process:
    """Start a program whose output is added to a file. Raises OSError."""
    output = _open_log(log)
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    finally:
        os.close(output)


def _open_log(log: Path) -> int:
    if log.exists() and log.stat().st_size > MAX_LOG:
        log.replace(log.with_suffix(".log.1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class RelayProcess:
    """Keeps one relay running until `stop`. `tell` gets one line for each thing that a person should know."""

    def __init__(self, command: Sequence[str], log: Path, tell: Callable[[str], None], start: Spawn = spawn) -> None:
        self._command, self._log = tuple(command), log
        self._tell, self._start = tell, start
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._deaths = 0

    @property
    def pid(self) -> int:
        """The process id; 0 while none runs."""
        running = self._process
        return running.pid if running and running.returncode is None else 0

    @property
    def deaths(self) -> int:
        """How often it died in a row."""
        return self._deaths

    async def run(self) -> None:
        """Start the relay, and again after each death, until `stop` was called."""
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            how = await self._once()
            if self._stopping.is_set():
                return
            lasted = asyncio.get_running_loop().time() - began
            self._deaths = 1 if lasted > STEADY else self._deaths + 1
            pause = pause_after(self._deaths)
            self._tell(f"died ({how}); starts again in {pause:g} s; its log is {self._log}")
            await self._sleep(pause)

    async def stop(self, grace: float) -> None:
        """End the relay: SIGTERM, `grace` seconds, then SIGKILL, which loses no accepted mail."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        _signal(process.terminate)
        try:
            async with asyncio.timeout(grace):
                await process.wait()
        except TimeoutError:
            self._tell(f"did not stop within {grace:g} s and is ended; its accepted mail is on disk")
            await self.kill()

    async def kill(self) -> None:
        """End the relay at once."""
        self._stopping.set()
        process = self._process
        if process and process.returncode is None:
            _signal(process.kill)
            await process.wait()

    async def _once(self) -> str:
        """Run it once; tell how it ended."""
        try:
            self._process = await self._start(self._command, self._log)
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        if self._stopping.is_set():
            await self.kill()
        how = _ending(await self._process.wait())
        said = await asyncio.to_thread(last_words, self._log)
        return f"{how}: {said}" if said else how

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def last_words(log: Path) -> str:
    """Give the last line of a log that is no JSON event: what a program says on its way out; "" when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            lines = file.read(_TAIL).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    last = lines[-1].strip() if lines else ""
    return "" if last.startswith("{") else last[:500]


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _signal(send: Callable[[], None]) -> None:
    with contextlib.suppress(ProcessLookupError):
        send()
