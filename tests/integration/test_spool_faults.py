"""Faults of the disk: each refuses what comes (nothing was stored, and nothing comes back), and passes by itself."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from tests.support.faults.shims import build
from tests.support.repository import REPOSITORY

from mailhaul_relay.spool.settings import Settings
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.log import Log

pytestmark = pytest.mark.integration

LARGE = 200_000


class Driver:
    """A spool in a process of its own, asked line by line."""

    def __init__(self, spool: Path, *options: str, preload: Path | None = None, control: Path | None = None) -> None:
        environment = {**os.environ}
        if preload:
            environment |= {"LD_PRELOAD": str(preload), "FAULT_CONTROL": str(control), "FAULT_ROOT": str(spool)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.faults.spool_driver", str(spool), *options],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._line() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)

    def ask(self, line: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self._line()

    def quit(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("quit\n")
        self.process.stdin.flush()
        assert self.process.wait(30) == 0

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


async def ids(spool: Path) -> set[str]:
    """Open a spool as a restarted relay does; give the ids of what it holds and can read."""
    store = await SqliteSpool.open(spool, Log(write=lambda _: None), settings=Settings(reserve=0))
    try:
        return {one.id for one in await store.due(2e9, 10_000, frozenset())}
    finally:
        await store.close()


class FailingSync:
    """The switch of the shim: which syncs fail from now on."""

    def __init__(self, directory: Path) -> None:
        self.library = build("failing_sync", directory)
        self.control = directory / "fail"

    def on(self, paths: str = "") -> None:
        self.control.write_text(paths)

    def off(self) -> None:
        self.control.unlink()

    def drive(self, spool: Path) -> Driver:
        return Driver(spool, preload=self.library, control=self.control)


@pytest.fixture
def failing(tmp_path: Path) -> FailingSync:
    return FailingSync(tmp_path)


@pytest.mark.parametrize(
    ("where", "size"), [("-wal", 100), ("/bodies/", LARGE), ("/bodies$", LARGE), ("", 100), ("", LARGE)]
)
async def test_a_failing_sync_refuses_and_passes_by_itself(
    tmp_path: Path, failing: FailingSync, where: str, size: int
) -> None:
    with failing.drive(tmp_path / "spool") as driver:
        assert driver.ask(f"accept before {size}") == "ok"
        failing.on(where)
        assert driver.ask(f"accept refused1 {size}").startswith("error cannot ")
        assert driver.ask(f"accept refused2 {size}").startswith("error cannot ")
        failing.off()
        assert driver.ask(f"accept after {size}") == "ok"
        assert driver.ask("counts") == "2"
        driver.quit()
    assert await ids(tmp_path / "spool") == {"before", "after"}


@pytest.mark.parametrize("attempts", [1, 5])
@pytest.mark.parametrize("where", ["-wal", ""])
async def test_what_was_refused_after_a_failed_sync_does_not_come_back_after_a_kill(
    tmp_path: Path, failing: FailingSync, where: str, attempts: int
) -> None:
    with failing.drive(tmp_path / "spool") as driver:
        assert driver.ask("accept before 100") == "ok"
        failing.on(where)
        answers = {f"m{i}": driver.ask(f"accept m{i} 5000") for i in range(attempts)}
        assert all(answer.startswith("error") for answer in answers.values())
    assert await ids(tmp_path / "spool") == {"before"}


async def test_a_failing_checkpoint_refuses_and_loses_nothing(tmp_path: Path, failing: FailingSync) -> None:
    with failing.drive(tmp_path / "spool") as driver:
        failing.on("spool.db$")
        answers = {f"m{i:02}": driver.ask(f"accept m{i:02} 40000") for i in range(20)}
        assert "error" in {answer.split()[0] for answer in answers.values()}
        failing.off()
        answers |= {f"n{i:02}": driver.ask(f"accept n{i:02} 40000") for i in range(20)}
        assert {answer for one, answer in answers.items() if one.startswith("n")} == {"ok"}
    assert await ids(tmp_path / "spool") == {one for one, answer in answers.items() if answer == "ok"}


async def test_the_health_check_tells_of_a_failing_sync(tmp_path: Path, failing: FailingSync) -> None:
    with failing.drive(tmp_path / "spool") as driver:
        assert driver.ask("check") == "ok"
        failing.on()
        assert driver.ask("check").startswith("error")
        failing.off()
        assert driver.ask("check") == "ok"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs root and mount(8) for a small tmpfs")
    command = [mount, "-t", "tmpfs", "-o", "size=4m,mode=700", "mailhaul-test", str(disk)]
    if subprocess.run(command, check=False, capture_output=True, timeout=30).returncode != 0:
        pytest.skip("this root may not mount a tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], timeout=30, check=True)


@pytest.mark.parametrize("size", [3000, 50_000, LARGE])
async def test_a_full_disk_answers_full_still_removes_and_passes_by_itself(small_disk: Path, size: int) -> None:
    with Driver(small_disk / "spool", "--reserve", str(1 << 20)) as driver:
        answers = [driver.ask(f"accept m{i:04} {size}") for i in range(6_000_000 // size)]
        assert {one.split()[0] for one in answers} == {"ok", "full"}
        stored = [f"m{i:04}" for i, one in enumerate(answers) if one == "ok"]
        assert {driver.ask(f"remove {one}") for one in stored} == {"ok"}
        assert driver.ask(f"accept again {size}") == "ok"
        driver.quit()
    assert await ids(small_disk / "spool") == {"again"}


async def test_a_disk_filled_by_others_answers_full_and_loses_nothing(small_disk: Path) -> None:
    with Driver(small_disk / "spool") as driver:
        assert driver.ask("accept before 100") == "ok"
        hog = small_disk / "hog"
        with hog.open("wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                if shutil.disk_usage(small_disk).free == 0:
                    break
        answers = [driver.ask(f"accept m{i} 30000") for i in range(40)]
        assert any(one.startswith("full ") for one in answers)
        hog.unlink()
        assert driver.ask("accept after 100") == "ok"
    promised = {f"m{i}" for i, one in enumerate(answers) if one == "ok"}
    assert await ids(small_disk / "spool") == {"before", "after"} | promised


async def test_below_the_reserve_nothing_is_accepted_but_removals_are(small_disk: Path) -> None:
    with Driver(small_disk / "spool", "--reserve", str(2 << 20)) as driver:
        assert driver.ask("accept first 100") == "ok"
        (small_disk / "hog").write_bytes(bytes(2 << 20))
        assert driver.ask("accept refused 100").startswith("full only ")
        assert driver.ask("remove first") == "ok"
        (small_disk / "hog").unlink()
        assert driver.ask("accept after 100") == "ok"


async def test_a_read_only_file_system_refuses_and_passes_by_itself(tmp_path: Path) -> None:
    spool, control = tmp_path / "spool", tmp_path / "read-only"
    with Driver(spool, preload=build("read_only", tmp_path), control=control) as driver:
        assert driver.ask("accept before 100") == "ok"
        control.touch()
        assert driver.ask("accept refused 100").startswith("error cannot ")
        assert driver.ask(f"accept refused {LARGE}").startswith("error cannot create a body file: Read-only")
        control.unlink()
        assert driver.ask("accept after 100") == "ok"
        driver.quit()
    assert await ids(spool) == {"before", "after"}


async def test_too_many_open_files_refuses_and_passes_by_itself(tmp_path: Path) -> None:
    with Driver(tmp_path / "spool") as driver:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert driver.ask(f"accept before {LARGE}") == "ok"
        assert driver.ask("files 3") == "ok"
        assert driver.ask(f"accept refused {LARGE}") == "error cannot create a body file: Too many open files (EMFILE)"
        assert driver.ask("accept small 100") == "ok"
        assert driver.ask(f"files {limit}") == "ok"
        assert driver.ask(f"accept after {LARGE}") == "ok"
        driver.quit()
    assert await ids(tmp_path / "spool") == {"before", "small", "after"}
