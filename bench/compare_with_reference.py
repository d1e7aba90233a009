"""Run another bench on the same two running relays, round by round in turn with ours, and see whether both agree.

The reference is a program with the command line of `relay_bench.py` (`run --target NAME,port=,pid= --case ... --json`).
    python -m bench.compare_with_reference --reference ../shared/bench/relay_bench.py
Exit code 0 when the ratios mailhaul/postfix of accept/s, e2e/s and CPU differ by at most 15 % in every case.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from bench.__main__ import TARGETS, WORK, free_port_pair, relays, stop_well_on_sigterm
from bench.cases import parse_case
from bench.rounds import Bench, Run, Target
from bench.table import ratios
from bench.traffic import Sink, build

TOLERANCE = 0.15
CASES = ("4k:20:conn", "4k:20:reuse", "64k:20:reuse", "1m:20:reuse")
FIELDS = {"accept/s": "accept_rate", "e2e/s": "e2e_rate", "CPU s/1000": "cpu_per_1k"}
"""Our figure, and the reference's name of it."""


def main(arguments: list[str] | None = None) -> int:
    """Measure with both, print both, give 0 when they agree."""
    options = _parser().parse_args(arguments)
    stop_well_on_sigterm()
    work = options.work.resolve()
    traffic, port = build(work / "bin"), free_port_pair()
    apart = 0.0
    with relays(work, list(TARGETS), port) as targets:
        with Sink(traffic.sink, port) as sink:
            for target in targets:
                Bench(traffic, sink).warm_up(target)
        for text in options.case or CASES:
            ours, theirs = [], []
            for number in range(options.reps):
                with Sink(traffic.sink, port) as sink:
                    bench = Bench(traffic, sink)
                    ours += [bench.run(target, parse_case(text), number) for target in targets]
                theirs += reference_round(options.reference, targets, text, port, work)
            apart = max(apart, compare(text, ours, theirs))
    sys.stdout.write(f"\nat most {apart:.0%} apart; allowed are {TOLERANCE:.0%}\n")
    return int(apart > TOLERANCE)


def reference_round(program: Path, targets: list[Target], case: str, port: int, work: Path) -> list[dict[str, Any]]:
    """Run one round of a case with the reference tool, which brings a sink of its own at the same port."""
    result = work / "reference.json"
    words = ["run", "--case", case, "--reps", "1", "--warm", "0", "--sink-port", str(port), "--json", str(result)]
    words += ["--max-foreign", "100"]  # no repetitions: both tools meet the same noise in turn
    for target in targets:
        words += ["--target", f"{target.name},port={target.port},pid={target.pid}"]
    subprocess.run([sys.executable, program, *words, "--work", work / "reference"], check=True, capture_output=True)
    rows: list[dict[str, Any]] = json.loads(result.read_text(encoding="utf-8"))["rows"]
    return rows


def compare(case: str, ours: list[Run], theirs: list[dict[str, Any]]) -> float:
    """Print both tools' ratios of a case and give the largest relative distance."""
    base, other = TARGETS
    found = ratios(ours, base, other, case)
    distances: list[float] = []
    for name, field in FIELDS.items():
        of_base = [row[field] for row in theirs if row["target"] == base]
        of_other = [row[field] for row in theirs if row["target"] == other]
        reference = median(b / a for a, b in zip(of_base, of_other, strict=True))
        distances.append(abs(found[name][0] / reference - 1))
        sys.stdout.write(
            f"{case:>14} {name:<12} ours {found[name][0]:.2f}  reference {reference:.2f}  {distances[-1]:.0%} apart\n"
        )
    return max(distances)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.compare_with_reference", description=__doc__)
    parser.add_argument("--reference", type=Path, required=True, help="the reference's program")
    parser.add_argument("--case", action="append", help=f"default: {' '.join(CASES)}")
    parser.add_argument("--reps", type=int, default=3, help="rounds of each case (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for queues and logs (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
