"""CPU and memory of a process with all its descendants, from /proc (Linux).

Descendants that have ended are counted through the times of children that their parents waited for, as Postfix's
master does. A process that vanishes while it is read counts for nothing at that moment.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

TICKS = os.sysconf("SC_CLK_TCK")
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process by its id, and what it started."""

    root: int

    def pids(self) -> list[int]:
        """Give the ids of the process and its living descendants."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            fields = _stat(entry) if entry.isdigit() else None
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
        found, open_ = [], [self.root]
        while open_:
            pid = open_.pop()
            found.append(pid)
            open_ += children.get(pid, [])
        return found

    def cpu(self) -> float:
        """Give the CPU seconds used so far, user and system, with those of ended children."""
        ticks = 0
        for pid in self.pids():
            fields = _stat(str(pid))
            ticks += sum(map(int, fields[11:15])) if fields else 0
        return ticks / TICKS

    def pss(self) -> float:
        """Give the memory now: MiB of proportional set size, where shared pages count in parts."""
        kib = 0
        for pid in self.pids():
            try:
                found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
            except OSError:
                continue
            kib += int(found[1]) if found else 0
        return kib / 1024


class PeakMemory:
    """Samples a tree's memory in the background, four times a second: `with PeakMemory(tree) as peak: ...`."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._done = Event()
        self._thread = Thread(target=self._sample, daemon=True)
        self.mib = 0.0

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            self.mib = max(self.mib, self._tree.pss())
            if self._done.wait(0.25):
                return


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine at one moment: wall clock and CPU seconds of all processes together."""

    wall: float
    busy: float

    @classmethod
    def now(cls) -> "Moment":
        """Read it."""
        with open("/proc/stat", encoding="ascii") as stat:
            user, nice, system, _idle, _iowait, irq, soft = map(int, stat.readline().split()[1:8])
        return cls(time.monotonic(), (user + nice + system + irq + soft) / TICKS)


def own_cpu() -> float:
    """Give the CPU seconds of this process and of its ended children."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _stat(pid: str) -> list[str] | None:
    """The fields of /proc/PID/stat after the name (which may hold anything): state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
