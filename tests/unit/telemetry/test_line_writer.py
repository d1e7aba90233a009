"""The writer of log lines: order kept, nothing blocked, nothing lost without being counted."""

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator

import pytest

from mailhaul_relay.telemetry.lines import PIECE, LineWriter


class Pipe:
    """A pipe that is read only when a test says so."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)

    def read(self) -> str:
        parts = []
        while True:
            try:
                part = os.read(self.read_end, 1 << 20)
            except BlockingIOError:
                break
            if not part:
                break
            parts.append(part)
        return b"".join(parts).decode()

    def close(self) -> None:
        for end in (self.read_end, self.write_end):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_without_a_loop_a_line_is_written_at_once(pipe: Pipe) -> None:
    LineWriter(pipe.write_end)("one\n")
    assert pipe.read() == "one\n"


async def test_lines_of_one_turn_leave_together_and_in_order(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_end)
    for number in range(100):
        writer(f"line {number}\n")
    assert pipe.read() == ""
    await asyncio.sleep(0)
    assert pipe.read().splitlines() == [f"line {number}" for number in range(100)]


def test_a_full_pipe_does_not_block_and_what_is_given_up_is_told(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_end, limit=10_000)
    started = time.monotonic()
    for number in range(3000):
        writer(f"line {number:04} {'x' * 89}\n")
    assert time.monotonic() - started < 2.0
    assert writer.dropped > 0
    lines = pipe.read()
    for _ in range(10):
        writer.flush()
        lines += pipe.read()
    writer("after\n")
    rest = pipe.read().splitlines()
    numbers = [int(line.split()[1]) for line in lines.splitlines()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) + writer.dropped == 3000
    told = json.loads(rest[0])
    assert (told["event"], told["lines"]) == ("log-dropped", writer.dropped)
    assert rest[1] == "after"


@pytest.mark.looptime
async def test_a_pipe_that_was_full_is_tried_again_without_new_lines(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_end)
    for _ in range(2000):
        writer("x" * 99 + "\n")
    await asyncio.sleep(0)
    lines = pipe.read()
    assert lines.count("\n") < 2000
    for _ in range(5):
        await asyncio.sleep(0.1)
        lines += pipe.read()
    assert lines.count("\n") == 2000
    assert writer.dropped == 0


def test_a_line_longer_than_a_piece_arrives_whole(pipe: Pipe) -> None:
    LineWriter(pipe.write_end)("x" * (3 * PIECE) + "\n")
    assert len(pipe.read()) == 3 * PIECE + 1


def test_closing_writes_what_is_left_but_waits_for_nobody_long(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_end)
    for _ in range(1000):
        writer("x" * 99 + "\n")
    started = time.monotonic()
    writer.close(grace=0.05)
    assert 0.04 < time.monotonic() - started < 1.0
    lines = pipe.read()
    writer.close(grace=0.05)
    assert (lines + pipe.read()).count("\n") == 1000


def test_a_reader_that_is_gone_is_not_the_mails_problem(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_end)
    os.close(pipe.read_end)
    for _ in range(5000):
        writer("x" * 500 + "\n")


def test_lines_of_threads_are_never_mixed(pipe: Pipe) -> None:
    writer = LineWriter(pipe.write_end)
    threads = [threading.Thread(target=_write_many, args=(writer, name)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    lines = pipe.read().splitlines()
    assert len(lines) == 400
    assert all(len(set(line)) == 1 and len(line) == 50 for line in lines)


def _write_many(writer: LineWriter, name: str) -> None:
    for _ in range(100):
        writer(name * 50 + "\n")


def test_text_that_is_not_ascii_cannot_make_it_fail(pipe: Pipe) -> None:
    LineWriter(pipe.write_end)("é\ud800\n")
    assert pipe.read() == "\\xe9\\ud800\n"
